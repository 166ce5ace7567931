//! Pure: desired and observed state become an ordered list of actions.
