"""The three sample requests of EBP_API_232 (EBP's page, section 2.3), without their comments."""

from __future__ import annotations

ORDER = """\
{
"orderNo": "ORD20251224001",
"totalCancelAmount": 106000.0,
"refundAccount": {
"accountNumber": "1234567890",
"bankCode": "001",
"accountHolderName": "John Doe"
},
"items": [
{
"seq": 1,
"itemType": "PHYSICAL",
"itemId": "P001",
"quantity": 2,
"amount": 50000.0,
"taxAmount": 5000.0
},
{
"seq": 2,
"itemType": "PHYSICAL",
"itemId": "P002",
"quantity": 1,
"amount": 3000.0,
"taxAmount": 0.0
},
{
"seq": 3,
"itemType": "PHYSICAL",
"itemId": "P003",
"quantity": 1,
"amount": 3000.0,
"taxAmount": 0.0
}
]
}
"""

ITEMS = """\
{
"orderNo": "ORD20251224001",
"totalCancelAmount": 6000.0,
"refundAccount": {
"accountNumber": "1234567890",
"bankCode": "001",
"accountHolderName": "John Doe"
},
"items": [
{
"seq": 2,
"itemType": "PHYSICAL",
"itemId": "P002",
"quantity": 1,
"amount": 3000.0,
"taxAmount": 0.0
},
{
"seq": 3,
"itemType": "PHYSICAL",
"itemId": "P003",
"quantity": 1,
"amount": 3000.0,
"taxAmount": 0.0
}
]
}
"""

AMOUNT = """\
{
"orderNo": "ORD20251224001",
"totalCancelAmount": 2000.0,
"refundAccount": {
"accountNumber": "1234567890",
"bankCode": "001",
"accountHolderName": "John Doe"
},
"items": [
{
"seq": 3,
"itemType": "PHYSICAL",
"itemId": "P003",
"quantity": 1,
"amount": 2000.0,
"taxAmount": 0.0
}
]
}
"""

SAMPLES = (ORDER, ITEMS, AMOUNT)
