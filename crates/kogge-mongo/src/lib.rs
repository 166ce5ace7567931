//! Pure: the MongoDB engine's planner; a topology and a goal become steps.
