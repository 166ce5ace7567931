//! Real Kubernetes clusters on one machine, with faults, for tests and the demo.
