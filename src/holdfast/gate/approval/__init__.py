"""Who may say yes, and what exactly they signed."""
