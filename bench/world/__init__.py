"""What a function talks to while it is measured: a provider and an AWS that answer after given times."""
