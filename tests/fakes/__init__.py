"""AWS in memory, behind real botocore clients: requests are checked and serialised as in production."""
