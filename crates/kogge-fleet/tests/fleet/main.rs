//! The fleet against scripted API servers over TLS: what a real one does only on bad days.
//!
//! The pitfalls of kube 5.0 (A to G, `rust-operator.md`) each have a test here: A, B, C and G in `watches`,
//! D and E in `bounds`, F in `kubeconfig`.

#[cfg(test)]
mod api;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod kubeconfig;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod support;
#[cfg(test)]
mod watches;
#[cfg(test)]
mod writes;
