//! Pure: the pods of all data centres become names and EndpointSlices.
