"""From a trigger to acknowledgements: batches, messages, queues, publication and the circuit breaker."""
