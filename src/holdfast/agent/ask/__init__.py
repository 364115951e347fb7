"""Answers to people's questions: from the tools, with citations, and a declining where there is no answer."""
