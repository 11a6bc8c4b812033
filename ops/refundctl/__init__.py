"""refundctl: what an operator of the refund handler types; docs/runbook.md says when."""
