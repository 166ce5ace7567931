use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kogge_api::Owner;
use kogge_api::federated_cluster::{RotationSpec, SecuritySpec};
use kogge_engine::{Component, Engine as _, Identity};
use kogge_mongo::MongoDb;
use proptest::prelude::*;

use super::*;
use crate::secrets::{Sample, Wanted};

const GRACE: Duration = Duration::from_mins(10);
const SETS: usize = 2;
/// The connection string, which no test here is about.
const URI: &str = "db://";

fn owner() -> Owner {
    "FederatedCluster/databases/db/uid-of-fc".parse().unwrap()
}

fn component(name: &str) -> Component {
    MongoDb::component(name).unwrap()
}

fn identity() -> Identity {
    Identity {
        name: "db".to_owned(),
        namespace: "databases".to_owned(),
        id: "abcdefgh".parse().unwrap(),
        cluster_domain: "cluster.local".to_owned(),
    }
}

fn asking(passwords: u32) -> SecuritySpec {
    SecuritySpec { rotation: RotationSpec { passwords, ..RotationSpec::default() }, ..SecuritySpec::default() }
}

/// The control cluster, the servers and a client, with an operator that may be killed between any two writes.
struct World {
    identity: Identity,
    asked: SecuritySpec,
    mint: Sample,
    stored: Secret,
    published: Secret,
    /// The users that each replica set knows, with their passwords.
    sets: Vec<BTreeMap<String, String>>,
    /// What a client read of the published Secret, and when.
    read: (Login, i64),
    now: i64,
}

impl World {
    fn new() -> Self {
        let (identity, asked) = (identity(), asking(0));
        let mut mint = Sample::default();
        let wanted = Wanted {
            identity: &identity,
            security: &asked,
            components: vec![component("config")],
            given: None,
            client_certificates: false,
        };
        let secrets = DatabaseSecrets::begin(&wanted, &mut mint).unwrap();
        let known: BTreeMap<String, String> =
            [secrets.users.operator(), secrets.users.admin()].map(|login| (login.user, login.password)).into();
        let (stored, published) = (
            secrets.to_secret(&identity.id, "kogge-system", &owner()).unwrap(),
            secrets.admin_secret(&identity.id, &owner(), URI.to_owned()),
        );
        let read = (secrets.users.admin(), 0);
        Self { identity, asked, mint, stored, published, sets: vec![known; SETS], read, now: 0 }
    }

    fn secrets(&self) -> DatabaseSecrets {
        DatabaseSecrets::read(&self.stored).unwrap()
    }

    fn store(&mut self, secrets: &DatabaseSecrets) {
        self.stored = secrets.to_secret(&self.identity.id, "kogge-system", &owner()).unwrap();
        assert_eq!(self.secrets(), *secrets, "it does not read back");
    }

    /// One pass; false once the operator is killed, which it is when `writes` are used up.
    fn pass(&mut self, writes: &mut usize) -> bool {
        let secrets = self.secrets();
        let published = secrets.admin_secret(&self.identity.id, &owner(), URI.to_owned());
        if published != self.published {
            if !spend(writes) {
                return false;
            }
            self.published = published;
        }
        match secrets.users_step(GRACE, self.now) {
            None => {
                let wanted = Wanted {
                    identity: &self.identity,
                    security: &self.asked,
                    components: vec![component("config")],
                    given: None,
                    client_certificates: false,
                };
                let Some(next) = secrets.advanced(&wanted, self.now, false, &mut self.mint).unwrap() else {
                    return true;
                };
                if !spend(writes) {
                    return false;
                }
                self.store(&next);
            }
            Some(UsersStep::Create(next)) => {
                for set in 0..SETS {
                    for login in [next.admin(), next.operator()] {
                        if !spend(writes) {
                            return false;
                        }
                        self.may_change(set, &secrets);
                        let known = self.sets[set].entry(login.user).or_insert_with(|| login.password.clone());
                        assert_eq!(*known, login.password, "the same user with another password");
                    }
                }
                if !spend(writes) {
                    return false;
                }
                self.store(&secrets.with_next_users());
            }
            Some(UsersStep::BeginGrace) => {
                if !spend(writes) {
                    return false;
                }
                self.store(&secrets.with_grace_from(self.now));
            }
            Some(UsersStep::Remove(previous)) => {
                for set in 0..SETS {
                    for login in [previous.admin(), previous.operator()] {
                        if !spend(writes) {
                            return false;
                        }
                        self.may_change(set, &secrets);
                        self.sets[set].remove(&login.user);
                    }
                }
                if !spend(writes) {
                    return false;
                }
                self.store(&secrets.without_previous_users());
            }
        }
        true
    }

    /// The operator is let in by every set as its present user.
    fn may_change(&self, set: usize, secrets: &DatabaseSecrets) {
        let Login { user, password } = secrets.users.operator();
        assert_eq!(self.sets[set].get(&user), Some(&password), "the operator is refused");
    }

    /// A client that reads the Secret again whenever what it read is as old as the grace.
    fn client(&mut self) -> Result<(), TestCaseError> {
        let data = self.published.data.clone().unwrap();
        let text = |key: &str| String::from_utf8(data[key].0.clone()).unwrap();
        let told = Login { user: text("username"), password: text("password") };
        let grace = i64::try_from(GRACE.as_secs()).unwrap();
        if self.now - self.read.1 >= grace {
            self.read = (told.clone(), self.now);
        }
        for login in [&told, &self.read.0] {
            for set in &self.sets {
                prop_assert_eq!(set.get(&login.user), Some(&login.password), "{:?} is refused", login);
            }
        }
        Ok(())
    }

    fn known(&self) -> BTreeSet<String> {
        self.sets.iter().flat_map(BTreeMap::keys).cloned().collect()
    }
}

fn spend(writes: &mut usize) -> bool {
    let alive = *writes > 0;
    *writes = writes.saturating_sub(1);
    alive
}

fn names(names: [&str; 2]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

proptest! {
    /// Wherever the operator is killed, and however long it is gone, a client that reads the Secret within the grace
    /// is let in by every set at every moment, and in the end only the last users are left.
    #[test]
    fn a06_no_client_that_reads_the_secret_again_is_refused(
        deaths in prop::collection::vec((0_usize..12, 0_i64..900), 0..12),
        requests in 1_u32..4,
    ) {
        let mut world = World::new();
        for request in 1..=requests {
            world.asked = asking(request);
            for (mut writes, gone) in deaths.iter().copied() {
                while world.pass(&mut writes) && writes > 0 {
                    world.client()?;
                    world.now += 10;
                    if world.now % 300 == 0 { break; }
                }
                world.client()?;
                // The operator is gone; the client reads on.
                for _ in 0..gone / 30 {
                    world.now += 30;
                    world.client()?;
                }
            }
            for _ in 0..300 {
                world.pass(&mut usize::MAX.clone());
                world.client()?;
                world.now += 10;
            }
            let secrets = world.secrets();
            prop_assert_eq!(secrets.rotating(&world.asked), None);
            prop_assert_eq!((&secrets.next_users, &secrets.previous_users), (&None, &None));
            let number = secrets.users.number;
            prop_assert_eq!(number, request + 1);
            let left = [format!("kogge-operator-{number}"), format!("admin-{number}")];
            prop_assert_eq!(world.known(), BTreeSet::from(left));
        }
    }
}

#[test]
fn the_grace_counts_from_when_the_secret_was_published() {
    let mut world = World::new();
    world.asked = asking(1);
    // The rotation begins, both sets learn the users, and the operator is killed before it publishes them.
    let mut writes = 1 + 2 * SETS + 1;
    while world.pass(&mut writes) {}
    assert_eq!(world.secrets().users.number, 2);
    assert_eq!(world.published.data.as_ref().unwrap()["username"].0, b"admin");
    world.now = 10_000;
    world.pass(&mut 2);
    assert_eq!(world.secrets().previous_admin(GRACE), Some(("admin".to_owned(), 10_600)));
    world.now = 10_599;
    world.pass(&mut 100);
    assert!(world.known().is_superset(&names(["admin", "kogge-operator"])));
    world.now = 10_600;
    world.pass(&mut 100);
    assert_eq!(world.known(), names(["admin-2", "kogge-operator-2"]));
    assert_eq!(world.secrets().previous_admin(GRACE), None);
}

#[test]
fn a_request_within_the_grace_waits_for_its_end_and_says_so() {
    let mut world = World::new();
    world.asked = asking(1);
    for _ in 0..6 {
        world.pass(&mut 100);
    }
    world.asked = asking(2);
    assert_eq!(
        world.secrets().rotating(&world.asked).as_deref(),
        Some("passwords: the rotation starts once user admin is removed")
    );
    world.pass(&mut 100);
    assert_eq!((world.secrets().users.number, world.secrets().next_users), (2, None));
}

/// A Secret of a Kogge whose users had no generations yet, as `key: value`.
fn from_before(entries: &[(&str, &str)]) -> DatabaseSecrets {
    let mut secret = World::new().stored;
    let data = secret.data.as_mut().unwrap();
    let json = String::from_utf8(data["rotation.json"].0.clone()).unwrap();
    let mut rotation: serde_json::Value = serde_json::from_str(&json).unwrap();
    rotation.as_object_mut().unwrap().remove("users");
    data.insert("rotation.json".to_owned(), k8s_openapi::ByteString(rotation.to_string().into_bytes()));
    for (key, text) in entries {
        data.insert((*key).to_owned(), k8s_openapi::ByteString(text.as_bytes().to_vec()));
    }
    DatabaseSecrets::read(&secret).unwrap()
}

#[test]
fn a_secret_from_before_users_had_generations_is_the_first_one() {
    let secrets = from_before(&[]);
    assert_eq!(
        (secrets.users.operator().user, secrets.users.admin().user),
        ("kogge-operator".into(), "admin".into())
    );
    assert_eq!((secrets.users_step(GRACE, 0), secrets.fallback_operator()), (None, None));
}

#[test]
fn a_rotation_that_an_older_kogge_began_is_finished() {
    let secrets = from_before(&[("next-operator-password", "new"), ("next-admin-password", "newer")]);
    let Some(UsersStep::Create(next)) = secrets.users_step(GRACE, 0) else { panic!("nothing to create") };
    assert_eq!((next.operator().user, next.admin().user), ("kogge-operator-2".into(), "admin-2".into()));
    let fallback = secrets.fallback_operator().unwrap();
    assert_eq!(
        (fallback.user.as_str(), fallback.password.as_str()),
        ("kogge-operator", "new"),
        "some sets have it"
    );
}

#[test]
fn a_member_that_is_behind_is_reached_as_the_previous_user() {
    let mut world = World::new();
    world.asked = asking(1);
    let before = world.secrets().users.operator();
    for _ in 0..6 {
        world.pass(&mut 100);
    }
    assert_eq!(world.secrets().fallback_operator(), Some(before));
}

#[test]
fn a12_no_password_is_in_a_debug_text() {
    let secrets = World::new().secrets();
    let step = UsersStep::Create(&secrets.users);
    let text = format!("{secrets:?} {step:?} {:?} {:?}", secrets.users, secrets.users.admin());
    assert!(!text.contains(&secrets.users.admin) && !text.contains(&secrets.users.operator), "{text}");
}
