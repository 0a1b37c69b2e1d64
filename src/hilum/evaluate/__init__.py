"""HOW GOOD: predictions with their truth in; an evaluation, its report and its card out."""
