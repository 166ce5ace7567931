//! Pure: charts are loaded, values merged and checked, templates rendered to objects with a revision.
