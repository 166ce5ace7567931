//! The controller of FederatedClusters: observe → validate → plan → apply → report.
