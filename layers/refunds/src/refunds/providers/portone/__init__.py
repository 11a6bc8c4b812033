"""PortOne V1 (``api.iamport.kr``): payments, virtual accounts, convenience-store numbers, cash receipts."""
