//! Speaks to MongoDB servers: observes their topology and executes the planner's steps.
