//! The checker, on histories made by hand and by chance.

#[cfg(test)]
mod brute_force;
#[cfg(test)]
#[path = "../support/generate.rs"]
mod generate;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod revisions;
#[cfg(test)]
mod story;
