"""This project's function without `refunds.loading`."""
