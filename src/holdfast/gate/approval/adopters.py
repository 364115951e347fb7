"""Who may sign that something is adopted by a person's own act: the roles that the policy asks for it, of whichever agent."""

from holdfast.gate.guard.compile import applies
from holdfast.site.model import Site


def adopters(site: Site, target: str) -> set[str]:
    """Roles, one of which is enough; the site's default approvals where no rule asks.

    `target` as in a rule's tags: `cause/MODE`, `model/ROLE`.
    """
    roles: set[str] = set()
    for rule in site.policy.rules:
        if rule.effect == "ask" and any(applies(rule, agent.name, "adopt", target) for agent in site.agents):
            roles |= set(rule.approvals or site.default_approvals)
    return roles or set(site.default_approvals)
