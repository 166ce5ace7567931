//! Rotation without downtime: from one generation to the next, each of which every pod of the one before it still
//! gets along with. The next step is taken only when every pod runs the present generation, so whoever is killed
//! anywhere finds in the Secret where to go on.

use std::collections::BTreeMap;

use kogge_api::federated_cluster::{RotationSpec, SecuritySpec, TlsMode};
use kogge_engine::Component;

use super::database::{DatabaseSecrets, Granted};
use super::generation::{Generation, Tls};
use super::issuer::{Issuer, Wanted};
use super::mint::{Certificate, Mint, MintError};
use super::user_steps::end_of;
use super::users::{PreviousUsers, Users};

impl DatabaseSecrets {
    /// The secrets of a database that begins now.
    pub fn begin(wanted: &Wanted<'_>, mint: &mut dyn Mint) -> Result<Self, MintError> {
        let mut secrets = Self {
            users: Users { number: 1, operator: mint.password(), admin: mint.password() },
            next_users: None,
            previous_users: None,
            current: Generation { number: 1, keys: vec![mint.key()], tls: None },
            previous: None,
            issuer: None,
            incoming: None,
            rotated: Granted::from(&wanted.security.rotation),
            reloading: false,
            clients_replaced_at: None,
        };
        let mode = wanted.security.tls.mode;
        if mode != TlsMode::Disabled {
            secrets.current.tls = Some(secrets.first_tls(mode, wanted, mint)?);
        }
        Ok(secrets)
    }

    fn first_tls(&mut self, mode: TlsMode, wanted: &Wanted<'_>, mint: &mut dyn Mint) -> Result<Tls, MintError> {
        let issuer = wanted.issuer(mint)?;
        let trust = vec![issuer.authority().to_owned()];
        let mut tls = Tls { mode, trust, leaves: BTreeMap::new(), clients: None };
        issuer.issue_all(&mut tls, wanted, mint)?;
        self.issuer = Some(issuer);
        Ok(tls)
    }

    /// With certificates for components that have none yet, such as a shard that is new, and for clients: no pod runs
    /// with these, so the generation stays. None where nothing lacks.
    pub fn completed(&self, wanted: &Wanted<'_>, mint: &mut dyn Mint) -> Result<Option<Self>, MintError> {
        let (Some(tls), Some(issuer)) = (&self.current.tls, &self.issuer) else { return Ok(None) };
        let lacks = |component: &&Component| !tls.leaves.contains_key(component.key.as_str());
        let mut completed = tls.clone();
        for component in wanted.components.iter().filter(lacks) {
            completed.leaves.insert(component.key.to_string(), issuer.issue(wanted, component, mint)?);
        }
        if tls.clients.is_none() {
            completed.clients = issuer.client_certificates(wanted, mint)?;
        }
        if completed == *tls {
            return Ok(None);
        }
        let current = Generation { tls: Some(completed), ..self.current.clone() };
        Ok(Some(Self { current, ..self.clone() }))
    }

    /// The next generation, or the end of the previous one; none where all is as it is asked for. To be called only
    /// when every pod of the database runs the present generation. `now` is in seconds since 1970. `reloads` says
    /// that every server can read its certificates again without a restart; then they change within the generation,
    /// and nothing else begins before every server is known to serve them ([`Self::with_certificates_served`]).
    pub fn advanced(
        &self,
        wanted: &Wanted<'_>,
        now: i64,
        reloads: bool,
        mint: &mut dyn Mint,
    ) -> Result<Option<Self>, MintError> {
        if self.reloading {
            return Ok(None);
        }
        let mut next = Self { previous: None, ..self.clone() };
        next.turn_key(wanted, mint);
        next.turn_tls(wanted, now, mint)?;
        next.turn_users(wanted, mint);
        if reloads
            && self.current.tls_mode() >= TlsMode::Prefer
            && self.current.differs_in_certificates_alone(&next.current)
        {
            next.reloading = true;
        } else if next.current != self.current {
            next.current.number += 1;
            next.previous = Some(self.current.clone());
        }
        Ok((next != *self).then_some(next))
    }

    /// Every server serves the certificates of the present generation.
    #[must_use]
    pub fn with_certificates_served(&self) -> Self {
        Self { reloading: false, ..self.clone() }
    }

    /// `[old]` → `[old, new]` → `[new]`.
    fn turn_key(&mut self, wanted: &Wanted<'_>, mint: &mut dyn Mint) {
        let asked = wanted.security.rotation.keyfile;
        if self.current.keys.len() > 1 {
            self.current.keys.remove(0);
        } else if self.rotated.keyfile < asked {
            self.rotated.keyfile = asked;
            self.current.keys.push(mint.key());
        }
    }

    /// The next users are made up here and told to the servers later. One generation replaces another at a time, so
    /// a request that comes within a grace waits for its end.
    fn turn_users(&mut self, wanted: &Wanted<'_>, mint: &mut dyn Mint) {
        let asked = wanted.security.rotation.passwords;
        if self.next_users.is_none() && self.previous_users.is_none() && self.rotated.passwords < asked {
            self.rotated.passwords = asked;
            let number = self.users.number + 1;
            self.next_users = Some(Users { number, operator: mint.password(), admin: mint.password() });
        }
    }

    fn turn_tls(&mut self, wanted: &Wanted<'_>, now: i64, mint: &mut dyn Mint) -> Result<(), MintError> {
        let goal = wanted.security.tls.mode;
        let mode = self.current.tls_mode().toward(goal);
        self.current.tls = match self.current.tls.take() {
            _ if mode == TlsMode::Disabled => {
                (self.issuer, self.incoming) = (None, None);
                None
            }
            None => Some(self.first_tls(mode, wanted, mint)?),
            Some(tls) => Some(self.turn_certificates(Tls { mode, ..tls }, wanted, now, mint)?),
        };
        Ok(())
    }

    /// A new authority is trusted beside the old one before it issues anything, and the old one until nothing of
    /// its own is in use: where clients have certificates too, for the grace in which they take the next ones.
    fn turn_certificates(
        &mut self,
        mut tls: Tls,
        wanted: &Wanted<'_>,
        now: i64,
        mint: &mut dyn Mint,
    ) -> Result<Tls, MintError> {
        let RotationSpec { authority, certificates, grace, .. } = wanted.security.rotation;
        let Some(issuer) = self.issuer.clone() else { return Ok(tls) };
        if let Some(incoming) = self.incoming.take() {
            self.clients_replaced_at = tls.clients.is_some().then_some(now);
            incoming.issue_all(&mut tls, wanted, mint)?;
            self.rotated.certificates = certificates;
            self.issuer = Some(incoming);
        } else if tls.trust.len() > 1 {
            if self.clients_replaced_at.is_none_or(|since| end_of(since, grace.into()) <= now) {
                self.clients_replaced_at = None;
                tls.trust = vec![issuer.authority().to_owned()];
            }
        } else if self.rotated.authority < authority || issuer.is_due(now) || is_other(&issuer, wanted) {
            let incoming = wanted.issuer(mint)?;
            if incoming.authority() == issuer.authority() {
                incoming.issue_all(&mut tls, wanted, mint)?;
                self.issuer = Some(incoming);
            } else {
                tls.trust.push(incoming.authority().to_owned());
                self.incoming = Some(incoming);
            }
            self.rotated.authority = authority;
        } else if self.rotated.certificates < certificates
            || issued(&tls).any(|certificate| is_due(certificate, now))
        {
            issuer.issue_all(&mut tls, wanted, mint)?;
            self.rotated.certificates = certificates;
        }
        Ok(tls)
    }

    /// What is being made anew, in words that do not change while one generation replaces the other.
    pub fn rotating(&self, asked: &SecuritySpec) -> Option<String> {
        let (mode, goal) = (self.current.tls_mode(), asked.tls.mode);
        let trusted = self.current.tls.as_ref().map_or(0, |tls| tls.trust.len());
        let RotationSpec { keyfile, certificates, authority, passwords, grace: _ } = &asked.rotation;
        let has_tls = self.current.tls.is_some();
        let mut under_way = Vec::new();
        if self.current.keys.len() > 1 {
            under_way.push("keyfile: the members take the old and the new key".to_owned());
        } else if self.rotated.keyfile < *keyfile {
            under_way.push("keyfile: a new key is asked for".to_owned());
        }
        if self.incoming.is_some() {
            under_way.push("authority: the new one is trusted beside the old one".to_owned());
        } else if trusted > 1 && self.clients_replaced_at.is_some() {
            under_way.push(
                "authority: the old one is trusted until spec.security.rotation.grace is over, for clients to read their \
                 new certificates"
                    .to_owned(),
            );
        } else if trusted > 1 {
            under_way.push("authority: certificates are by the new one, the old one is still trusted".to_owned());
        } else if has_tls && self.rotated.authority < *authority {
            under_way.push("authority: a new one is asked for".to_owned());
        } else if has_tls && self.rotated.certificates < *certificates {
            under_way.push("certificates: new ones are asked for".to_owned());
        }
        if mode != goal {
            under_way.push(format!("TLS: {mode:?} on the way to {goal:?}"));
        }
        under_way.extend(self.rotating_users(*passwords));
        if self.reloading {
            under_way.push("certificates: the servers read the new ones, without a restart".to_owned());
        }
        if under_way.is_empty() && self.previous.is_some() {
            under_way.push(format!("generation {} reaches the pods", self.current.number));
        }
        (!under_way.is_empty()).then(|| under_way.join("; "))
    }

    fn rotating_users(&self, asked: u32) -> Option<String> {
        if let Some(next) = &self.next_users {
            return Some(format!("passwords: user {} is being created on every group", next.admin().user));
        }
        if self.rotated.passwords >= asked {
            return None;
        }
        Some(match &self.previous_users {
            Some(PreviousUsers { users, .. }) => {
                format!("passwords: the rotation starts once user {} is removed", users.admin().user)
            }
            None => "passwords: a rotation is requested".to_owned(),
        })
    }

    /// When the next certificate is to be renewed, in seconds since 1970.
    pub fn renewal(&self) -> Option<i64> {
        let leaves = self.current.tls.iter().flat_map(issued);
        let authority = match &self.issuer {
            Some(Issuer::Own { authority }) => Some(authority),
            Some(Issuer::Given { .. }) | None => None,
        };
        leaves.chain(authority).filter_map(|certificate| certificate.renew_at).min()
    }
}

/// All certificates that were issued to servers and to clients.
fn issued(tls: &Tls) -> impl Iterator<Item = &Certificate> {
    let clients = tls.clients.iter().flat_map(|clients| [&clients.operator, &clients.admin]);
    tls.leaves.values().chain(clients)
}

fn is_due(certificate: &Certificate, now: i64) -> bool {
    certificate.renew_at.is_some_and(|at| at <= now)
}

/// Whether the spec names another issuer than the present one, or its Secret holds something else by now.
fn is_other(issuer: &Issuer, wanted: &Wanted<'_>) -> bool {
    match (&wanted.given, issuer) {
        (Some(given), issuer) => given != issuer,
        (None, Issuer::Given { .. }) => true,
        (None, Issuer::Own { .. }) => false,
    }
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
