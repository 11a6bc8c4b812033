"""Payment providers: their clients, and one operation per cancel type."""
