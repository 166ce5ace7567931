//! Clients at work on stores that keep their word, and on stores that do not.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod store;
