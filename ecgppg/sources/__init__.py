"""Who the patients are and where their records lie."""
