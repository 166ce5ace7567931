//! The gate as the kubelet runs it before a server whose cluster lost its majority, with the real etcd and etcdutl of each
//! minor release that Kogge runs.

#[cfg(test)]
mod etcd;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod pod;
#[cfg(test)]
mod survivor;
#[cfg(test)]
mod wait;
