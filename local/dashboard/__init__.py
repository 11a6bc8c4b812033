"""A picture of the template's dashboard with the data of a run on the local stack."""
