use kogge_api::Owner;
use kogge_api::federated_cluster::TlsMode::{Allow, Disabled, Prefer, Require};
use kogge_api::federated_cluster::{SecuritySpec, TlsMode, TlsSpec};
use kogge_engine::{Engine as _, Identity};
use kogge_mongo::MongoDb;
use proptest::prelude::*;

use super::*;
use crate::secrets::Sample;

const SOON: i64 = 1_000;

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

fn asking(mode: TlsMode, rotation: [u32; 4]) -> SecuritySpec {
    let [keyfile, certificates, authority, passwords] = rotation;
    SecuritySpec {
        tls: TlsSpec { mode, secret_ref: None },
        rotation: RotationSpec { keyfile, certificates, authority, passwords, ..RotationSpec::default() },
    }
}

fn wanted<'a>(identity: &'a Identity, security: &'a SecuritySpec) -> Wanted<'a> {
    let components = vec![component("config"), component("shard-0"), component("mongos")];
    Wanted { identity, security, components, given: None, client_certificates: false }
}

fn given(authority: &str, leaf: &str) -> Issuer {
    let leaf = Certificate {
        certificate: format!("leaf-of-{authority} {leaf}"),
        key: "private".to_owned(),
        renew_at: None,
    };
    Issuer::Given { authority: authority.to_owned(), leaf }
}

/// As [`wanted`], of an engine whose servers ask whoever calls them for a certificate.
fn wanted_with_clients<'a>(identity: &'a Identity, security: &'a SecuritySpec) -> Wanted<'a> {
    Wanted { client_certificates: true, ..wanted(identity, security) }
}

/// Whether pods of the one and of the other generation get along, whoever calls.
fn get_along(one: &Generation, other: &Generation) -> Result<(), String> {
    if !one.keys.iter().any(|key| other.keys.contains(key)) {
        return Err("no key in common".to_owned());
    }
    let (from, to) = (one.tls_mode(), other.tls_mode());
    if from.toward(to) != to {
        return Err(format!("{from:?} beside {to:?}"));
    }
    for (caller, called) in [(one, other), (other, one)] {
        let (Some(caller), Some(called)) = (&caller.tls, &called.tls) else { continue };
        for leaf in called.leaves.values() {
            if !caller.trust.iter().any(|authority| leaf.certificate.contains(authority.as_str())) {
                return Err("a certificate that is not trusted".to_owned());
            }
        }
    }
    Ok(())
}

/// Goes on until nothing is left to do, reading everything back from the Secret before each step. The servers take
/// the next users at once.
fn carry_on(
    secrets: DatabaseSecrets,
    wanted: &Wanted<'_>,
    mint: &mut Sample,
) -> (DatabaseSecrets, Vec<Generation>) {
    carry_on_with(secrets, wanted, false, mint)
}

/// As [`carry_on`], with servers that may read their certificates again, each at its own time.
fn carry_on_with(
    mut secrets: DatabaseSecrets,
    wanted: &Wanted<'_>,
    reloads: bool,
    mint: &mut Sample,
) -> (DatabaseSecrets, Vec<Generation>) {
    let mut generations = vec![secrets.current.clone()];
    for _ in 0..20 {
        let stored = secrets.to_secret(&wanted.identity.id, "kogge-system", &owner()).unwrap();
        let read = DatabaseSecrets::read(&stored).unwrap();
        assert_eq!(read, secrets, "it does not read back");
        let read = read.with_next_users().without_previous_users();
        if read.reloading {
            assert_eq!(read.advanced(wanted, SOON, reloads, mint).unwrap(), None, "not every server serves them");
        }
        let read = read.with_certificates_served();
        let Some(next) = read.advanced(wanted, SOON, reloads, mint).unwrap() else {
            return (read, generations);
        };
        if next.current != read.current {
            let met = get_along(&read.current, &next.current);
            assert_eq!(met, Ok(()), "generation {} meets the next one", read.current.number);
            if next.reloading {
                assert!(reloads && read.current.differs_in_certificates_alone(&next.current));
                assert_eq!((next.current.number, &next.previous), (read.current.number, &None), "no restart");
            } else {
                assert_eq!(next.current.number, read.current.number + 1);
                assert_eq!(next.previous, Some(read.current), "pods that were not made anew need theirs");
            }
            generations.push(next.current.clone());
        }
        secrets = next;
    }
    panic!("it never ends: {:?}", secrets.rotating(wanted.security));
}

#[test]
fn the_old_key_is_given_up_only_when_all_have_the_new_one() {
    let (identity, asked) = (identity(), asking(Disabled, [1, 0, 0, 0]));
    let mut mint = Sample::default();
    let begun = DatabaseSecrets::begin(&wanted(&identity, &asking(Disabled, [0; 4])), &mut mint).unwrap();
    let (done, generations) = carry_on(begun.clone(), &wanted(&identity, &asked), &mut mint);
    assert_eq!(generations.iter().map(|g| g.keys.len()).collect::<Vec<_>>(), [1, 2, 1]);
    assert_ne!(done.current.keys, begun.current.keys);
    assert_eq!((done.previous, done.rotated.keyfile), (None, 1));
    let file = generations[1].keyfile();
    assert_eq!(file.lines().filter(|line| line.starts_with("- ")).count(), 2, "a YAML list of two");
}

#[test]
fn an_authority_is_trusted_before_it_issues_and_until_nothing_is_by_it() {
    let (identity, asked) = (identity(), asking(Require, [0, 0, 1, 0]));
    let mut mint = Sample::default();
    let begun = DatabaseSecrets::begin(&wanted(&identity, &asking(Require, [0; 4])), &mut mint).unwrap();
    let (done, generations) = carry_on(begun, &wanted(&identity, &asked), &mut mint);
    let trust = |g: &Generation| g.tls.as_ref().unwrap().trust.len();
    assert_eq!(generations.iter().map(trust).collect::<Vec<_>>(), [1, 2, 2, 1]);
    assert_eq!(done.rotating(&asked), None);
}

#[test]
fn certificates_by_a_new_authority_are_new_certificates() {
    let (identity, asked) = (identity(), asking(Require, [1, 1, 1, 0]));
    let mut mint = Sample::default();
    let begun = DatabaseSecrets::begin(&wanted(&identity, &asking(Require, [0; 4])), &mut mint).unwrap();
    let (done, generations) = carry_on(begun, &wanted(&identity, &asked), &mut mint);
    assert_eq!(generations.len(), 4, "all of it shares the authority's three restarts");
    assert_eq!((done.rotated.certificates, done.rotated.authority, done.rotated.keyfile), (1, 1, 1));
}

#[test]
fn tls_is_turned_on_and_off_step_by_step() {
    let (identity, on, off) = (identity(), asking(Require, [0; 4]), asking(Disabled, [0; 4]));
    let mut mint = Sample::default();
    let begun = DatabaseSecrets::begin(&wanted(&identity, &off), &mut mint).unwrap();
    let (done, generations) = carry_on(begun, &wanted(&identity, &on), &mut mint);
    assert_eq!(
        generations.iter().map(Generation::tls_mode).collect::<Vec<_>>(),
        [Disabled, Allow, Prefer, Require]
    );
    let (done, generations) = carry_on(done, &wanted(&identity, &off), &mut mint);
    assert_eq!(
        generations.iter().map(Generation::tls_mode).collect::<Vec<_>>(),
        [Require, Prefer, Allow, Disabled]
    );
    assert_eq!((done.issuer, done.current.tls), (None, None));
}

#[test]
fn certificates_are_renewed_in_time_and_by_the_same_authority() {
    let (identity, asked) = (identity(), asking(Require, [0; 4]));
    let mut mint = Sample::default();
    let mut secrets = DatabaseSecrets::begin(&wanted(&identity, &asked), &mut mint).unwrap();
    for leaf in secrets.current.tls.as_mut().unwrap().leaves.values_mut() {
        leaf.renew_at = Some(SOON);
    }
    assert_eq!(secrets.renewal(), Some(SOON));
    assert_eq!(secrets.advanced(&wanted(&identity, &asked), SOON - 1, false, &mut mint).unwrap(), None);
    let (done, generations) = carry_on(secrets.clone(), &wanted(&identity, &asked), &mut mint);
    assert_eq!(generations.len(), 2);
    let trust = |secrets: &DatabaseSecrets| secrets.current.tls.as_ref().unwrap().trust.clone();
    assert_eq!(trust(&done), trust(&secrets));
}

#[test]
fn etcd_55_clients_get_new_certificates_with_the_servers_and_no_pod_is_restarted() {
    let identity = identity();
    let mut mint = Sample::default();
    let begun =
        DatabaseSecrets::begin(&wanted_with_clients(&identity, &asking(Require, [0; 4])), &mut mint).unwrap();
    let asked = asking(Require, [0, 1, 0, 0]);
    let wanted = wanted_with_clients(&identity, &asked);
    let (done, generations) = carry_on_with(begun.clone(), &wanted, true, &mut mint);
    assert_eq!(restarts(&generations), 0);
    let clients = |secrets: &DatabaseSecrets| secrets.current.tls.as_ref().unwrap().clients.clone().unwrap();
    assert!(clients(&begun).operator != clients(&done).operator && clients(&begun).admin != clients(&done).admin);
    assert_eq!(done.current.operator_certificate(), Some(&clients(&done).operator));
    let published = done.admin_secret(&identity.id, &owner(), "https://orders:2379".to_owned()).data.unwrap();
    assert_eq!(published["tls.crt"].0, clients(&done).admin.certificate.as_bytes());
    assert_eq!(published["tls.key"].0, clients(&done).admin.key.as_bytes());
    assert!(published.contains_key("ca.crt"));
    // One that is due is renewed, although the servers' are not.
    let mut due = done.clone();
    due.current.tls.as_mut().unwrap().clients.as_mut().unwrap().admin.renew_at = Some(SOON);
    assert_eq!(due.renewal(), Some(SOON));
    assert_ne!(due.advanced(&wanted, SOON, true, &mut mint).unwrap(), None);
}

#[test]
fn etcd_56_the_old_authority_stays_trusted_until_clients_had_time_to_read_their_new_certificates() {
    let identity = identity();
    let mut mint = Sample::default();
    let begun =
        DatabaseSecrets::begin(&wanted_with_clients(&identity, &asking(Require, [0; 4])), &mut mint).unwrap();
    let asked = asking(Require, [0, 0, 1, 0]);
    let wanted = wanted_with_clients(&identity, &asked);
    let mut advance = |secrets: &DatabaseSecrets, now| {
        let stored = secrets.to_secret(&identity.id, "kogge-system", &owner()).unwrap();
        let read = DatabaseSecrets::read(&stored).unwrap();
        assert_eq!(read, *secrets, "it does not read back");
        read.advanced(&wanted, now, true, &mut mint).unwrap()
    };
    let tls = |secrets: &DatabaseSecrets| secrets.current.tls.clone().unwrap();
    let bundled = advance(&begun, SOON).unwrap();
    assert_eq!(
        (bundled.current.number, tls(&bundled).trust.len()),
        (2, 2),
        "CAs are read at a start only: a roll"
    );
    assert_eq!(tls(&bundled).clients, tls(&begun).clients);
    let issued = advance(&bundled, SOON).unwrap();
    assert_eq!((issued.current.number, issued.reloading), (2, true), "certificates are read again: no roll");
    let by_new = tls(&issued).trust[1].clone();
    assert!(tls(&issued).clients.unwrap().admin.certificate.contains(by_new.as_str()));
    let served = issued.with_certificates_served();
    let grace = 3_600;
    assert_eq!(advance(&served, SOON + grace - 1), None, "clients still show certificates by the old one");
    assert!(served.rotating(&asked).unwrap().contains("spec.security.rotation.grace"));
    let done = advance(&served, SOON + grace).unwrap();
    assert_eq!((done.current.number, tls(&done).trust), (3, vec![by_new]), "a roll");
    assert_eq!(
        (done.rotating(&asked), done.clients_replaced_at),
        (Some("generation 3 reaches the pods".to_owned()), None)
    );
    assert_eq!(advance(&done, SOON + grace).map(|end| end.previous), Some(None));
}

#[test]
fn clients_get_certificates_where_a_database_had_none_for_them_and_kogge_can_issue_them() {
    let (identity, asked) = (identity(), asking(Require, [0; 4]));
    let mut mint = Sample::default();
    let begun = DatabaseSecrets::begin(&wanted(&identity, &asked), &mut mint).unwrap();
    let mut asks = wanted_with_clients(&identity, &asked);
    let completed = begun.completed(&asks, &mut mint).unwrap().unwrap();
    assert_eq!(completed.current.number, begun.current.number, "no pod is restarted");
    assert_eq!(completed.completed(&asks, &mut mint).unwrap(), None);
    // Whose authority Kogge does not have the key of gets none: Kogge shows the servers' own.
    asks.given = Some(given("theirs", "1"));
    let theirs = DatabaseSecrets::begin(&asks, &mut mint).unwrap();
    assert_eq!(theirs.completed(&asks, &mut mint).unwrap(), None);
    assert!(theirs.current.operator_certificate().unwrap().certificate.contains("leaf-of-theirs"));
    assert!(!theirs.admin_secret(&identity.id, &owner(), String::new()).data.unwrap().contains_key("tls.crt"));
}

fn restarts(generations: &[Generation]) -> u32 {
    generations.last().unwrap().number - 1
}

#[test]
fn servers_that_read_certificates_again_are_not_restarted_for_them() {
    let identity = identity();
    let mut mint = Sample::default();
    let begun = DatabaseSecrets::begin(&wanted(&identity, &asking(Require, [0; 4])), &mut mint).unwrap();
    let asked = asking(Require, [0, 1, 0, 0]);
    let next = begun.advanced(&wanted(&identity, &asked), SOON, true, &mut mint).unwrap().unwrap();
    assert!(next.reloading && next.rotating(&asked).unwrap().contains("without a restart"));
    assert_ne!(
        next.current.certificate(&component("config").key),
        begun.current.certificate(&component("config").key)
    );
    let (done, generations) = carry_on_with(begun.clone(), &wanted(&identity, &asked), true, &mut mint);
    assert_eq!((restarts(&generations), generations.len(), done.rotating(&asked)), (0, 2, None));
    let asked = asking(Require, [1, 1, 0, 0]);
    let (_, generations) = carry_on_with(begun, &wanted(&identity, &asked), true, &mut mint);
    assert_eq!(
        restarts(&generations),
        2,
        "a keyfile takes two restarts, and the certificates come with the first"
    );
}

#[test]
fn the_order_of_an_authority_stays_where_its_certificates_take_no_restart() {
    let (identity, asked) = (identity(), asking(Require, [0, 0, 1, 0]));
    let mut mint = Sample::default();
    let begun = DatabaseSecrets::begin(&wanted(&identity, &asking(Require, [0; 4])), &mut mint).unwrap();
    let (_, generations) = carry_on_with(begun, &wanted(&identity, &asked), true, &mut mint);
    let trust = |g: &Generation| g.tls.as_ref().unwrap().trust.len();
    assert_eq!(generations.iter().map(trust).collect::<Vec<_>>(), [1, 2, 2, 1]);
    assert_eq!(restarts(&generations), 2);
}

#[test]
fn while_the_operator_speaks_no_tls_certificates_come_with_a_restart() {
    let (identity, asked) = (identity(), asking(TlsMode::Allow, [0, 1, 0, 0]));
    let mut mint = Sample::default();
    let begun = DatabaseSecrets::begin(&wanted(&identity, &asking(TlsMode::Allow, [0; 4])), &mut mint).unwrap();
    let (_, generations) = carry_on_with(begun, &wanted(&identity, &asked), true, &mut mint);
    assert_eq!(restarts(&generations), 1, "it could not see what a server serves");
}

#[test]
fn a_new_shard_gets_its_certificate_without_a_generation_of_its_own() {
    let (identity, asked) = (identity(), asking(Require, [0; 4]));
    let mut mint = Sample::default();
    let mut grown = wanted(&identity, &asked);
    let begun = DatabaseSecrets::begin(&grown, &mut mint).unwrap();
    assert_eq!(begun.completed(&grown, &mut mint).unwrap(), None);
    grown.components.push(component("shard-1"));
    let completed = begun.completed(&grown, &mut mint).unwrap().unwrap();
    assert_eq!(completed.current.number, begun.current.number);
    let leaves = |secrets: &DatabaseSecrets| secrets.current.tls.as_ref().unwrap().leaves.clone();
    assert!(leaves(&begun).iter().all(|(component, leaf)| leaves(&completed)[component] == *leaf));
    assert!(leaves(&completed).contains_key("shard-1"));
}

#[test]
fn a_secret_of_the_users_is_taken_over_and_followed() {
    let (identity, asked) = (identity(), asking(Require, [0; 4]));
    let mut mint = Sample::default();
    let mut asks = wanted(&identity, &asked);
    let own = DatabaseSecrets::begin(&asks, &mut mint).unwrap();
    asks.given = Some(given("theirs", "1"));
    let (taken, generations) = carry_on(own, &asks, &mut mint);
    assert_eq!(generations.len(), 4);
    asks.given = Some(given("theirs", "2"));
    let (renewed, generations) = carry_on(taken, &asks, &mut mint);
    assert_eq!(generations.len(), 2, "the same authority: certificates alone are new");
    asks.given = None;
    let (back, _) = carry_on(renewed, &asks, &mut mint);
    assert!(matches!(back.issuer, Some(Issuer::Own { .. })));
}

#[test]
fn the_next_users_are_kept_before_the_servers_are_told() {
    let (identity, asked) = (identity(), asking(Disabled, [0, 0, 0, 1]));
    let mut mint = Sample::default();
    let begun = DatabaseSecrets::begin(&wanted(&identity, &asking(Disabled, [0; 4])), &mut mint).unwrap();
    let next = begun.advanced(&wanted(&identity, &asked), SOON, false, &mut mint).unwrap().unwrap();
    assert_eq!(next.users, begun.users);
    assert_eq!(next.current, begun.current, "no pod is restarted for a password");
    assert!(next.next_users.is_some() && next.rotating(&asked).is_some());
    assert_eq!(next.advanced(&wanted(&identity, &asked), SOON, false, &mut mint).unwrap(), None, "made once");
    let done = next.with_next_users();
    assert_eq!((Some(done.users), done.next_users), (next.next_users, None));
    assert_eq!(done.previous_users.unwrap().users, begun.users);
}

prop_compose! {
    fn any_ask()(mode in 0_usize..4, rotation in [0_u32..3, 0..3, 0..3, 0..3], theirs in 0_u32..4)
        -> (SecuritySpec, Option<Issuer>) {
        let mode = [Disabled, Allow, Prefer, Require][mode];
        let given = (theirs > 1).then(|| given(if theirs > 2 { "theirs" } else { "others" }, &theirs.to_string()));
        (asking(mode, rotation), given)
    }
}

proptest! {
    /// Whatever is asked for, and however often it changes, neighbours get along and the end is reached.
    #[test]
    fn neighbours_always_get_along(asks in prop::collection::vec(any_ask(), 2..6), reloads: bool) {
        let identity = identity();
        let mut mint = Sample::default();
        let mut secrets = None;
        for (security, given) in &asks {
            let asked = Wanted { given: given.clone(), ..wanted(&identity, security) };
            let present = match secrets.take() {
                None => DatabaseSecrets::begin(&asked, &mut mint).unwrap(),
                Some(present) => present,
            };
            let (done, _) = carry_on_with(present, &asked, reloads, &mut mint);
            prop_assert_eq!(done.current.tls_mode(), security.tls.mode);
            prop_assert_eq!(done.rotating(security), None);
            prop_assert_eq!(done.current.keys.len(), 1);
            secrets = Some(done);
        }
    }
}
