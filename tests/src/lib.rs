//! End to end: the operator on the lab's real clusters.
