"""The published contracts, as other systems read them: written from the models by ``local.schemas``."""
