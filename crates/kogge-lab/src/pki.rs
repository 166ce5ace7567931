//! Certificates of one cluster: an authority of its own and what its components identify themselves with.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::error::{IoContext, LabError, Result};

/// Names and addresses that the API server answers to.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerNames {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) names: Vec<String>,
}

/// Client certificates by file name, user and group, as Kubernetes' default roles expect them.
fn clients(node: &str) -> [(&'static str, String, Option<&'static str>); 6] {
    [
        ("admin", "admin".to_owned(), Some("system:masters")),
        ("kube-apiserver-kubelet-client", "kube-apiserver-kubelet-client".to_owned(), Some("system:masters")),
        ("kube-controller-manager", "system:kube-controller-manager".to_owned(), None),
        ("kube-scheduler", "system:kube-scheduler".to_owned(), None),
        ("kube-proxy", "system:kube-proxy".to_owned(), None),
        ("kubelet", format!("system:node:{node}"), Some("system:nodes")),
    ]
}

/// Writes all keys and certificates of the cluster `name` into `folder`, unless they are there.
pub(crate) fn ensure(folder: &Path, name: &str, server: &ServerNames) -> Result<()> {
    let last_written = folder.join("sa.key");
    if last_written.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder).context(|| format!("create {}", folder.display()))?;
    let authority = CertifiedIssuer::self_signed(authority_params(name)?, KeyPair::generate()?)?;
    write(&folder.join("ca.crt"), &authority.pem())?;
    write(&folder.join("ca.key"), &authority.key().serialize_pem())?;

    let mut params = leaf_params("kube-apiserver", None, ExtendedKeyUsagePurpose::ServerAuth)?;
    for address in &server.addresses {
        params.subject_alt_names.push(SanType::IpAddress(*address));
    }
    for dns_name in &server.names {
        params.subject_alt_names.push(SanType::DnsName(dns_name.as_str().try_into()?));
    }
    write_leaf(folder, "kube-apiserver", &params, &authority)?;
    for (file, user, group) in clients(name) {
        let params = leaf_params(&user, group, ExtendedKeyUsagePurpose::ClientAuth)?;
        write_leaf(folder, file, &params, &authority)?;
    }
    let service_accounts = KeyPair::generate()?;
    write(&folder.join("sa.pub"), &service_accounts.public_key_pem())?;
    write(&last_written, &service_accounts.serialize_pem())
}

fn authority_params(name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, format!("{name}-ca"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf_params(user: &str, group: Option<&str>, usage: ExtendedKeyUsagePurpose) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    Ok(params)
}

fn write_leaf(
    folder: &Path,
    file: &str,
    params: &CertificateParams,
    authority: &CertifiedIssuer<'_, KeyPair>,
) -> Result<()> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    write(&folder.join(format!("{file}.crt")), &certificate.pem())?;
    write(&folder.join(format!("{file}.key")), &key.serialize_pem())
}

fn write(path: &Path, pem: &str) -> Result<()> {
    fs::write(path, pem).context(|| format!("write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).context(|| format!("protect {}", path.display()))
}

/// Reads a PEM file written by [`ensure`].
pub(crate) fn read(folder: &Path, file: &str) -> Result<String> {
    let path = folder.join(file);
    fs::read_to_string(&path).map_err(|source| LabError::Io { what: format!("read {}", path.display()), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_made_once() -> Result<()> {
        let folder = tempfile::tempdir().context(String::new)?;
        let server = ServerNames { addresses: vec![[10, 100, 0, 1].into()], names: vec!["localhost".to_owned()] };
        ensure(folder.path(), "vdc1", &server)?;
        let first = read(folder.path(), "admin.crt")?;
        ensure(folder.path(), "vdc1", &server)?;
        assert_eq!(first, read(folder.path(), "admin.crt")?);
        assert!(read(folder.path(), "sa.pub")?.starts_with("-----BEGIN PUBLIC KEY-----"));
        Ok(())
    }
}
