"""WHO: users, roles, sessions, API keys and one-time links; knows no HTTP and no prediction."""
