"""The ledger in DynamoDB: claims, the item's format, queries, the audit trail and the hourly count."""
