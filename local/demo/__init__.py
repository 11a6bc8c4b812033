"""The main job, played on the local stack: every cancel type, and everything that goes wrong with refunds."""
