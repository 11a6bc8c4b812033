"""The vocabulary: what a cancellation, a provider operation and its answers are; no AWS and no HTTP."""
