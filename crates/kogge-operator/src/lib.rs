//! The operator: controllers, leadership, health, metrics.
