//! The end of credentials is told ahead: 30 days, 7 days and one hour before.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use kogge_api::conditions::{Status, worker_cluster as conditions};
use kogge_fleet::Fleet;
use kogge_fleet::kubeconfig::expiry::Nearness;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::api::Api;
use crate::kubeconfig::{good, now, parse, user};
use crate::support::{document, options, secret, until_condition, worker};

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(&json!({"alg": "RS256"})), part(claims))
}

#[test]
fn field_18_the_steps_begin_at_30_days_7_days_and_an_hour() {
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    for (left, expected) in [
        (365 * DAY, None),
        (30 * DAY + 1, None),
        (30 * DAY, Some(Nearness::Within30Days)),
        (7 * DAY + 1, Some(Nearness::Within30Days)),
        (7 * DAY, Some(Nearness::Within7Days)),
        (HOUR + 1, Some(Nearness::Within7Days)),
        (HOUR, Some(Nearness::Within1Hour)),
        (1, Some(Nearness::Within1Hour)),
        (0, Some(Nearness::Over)),
        (-DAY, Some(Nearness::Over)),
    ] {
        assert_eq!(Nearness::of(now(), now() + SignedDuration::from_secs(left)), expected, "{left} s");
    }
    assert_eq!(Nearness::of(Timestamp::MIN, Timestamp::MAX), None);
    assert_eq!(Nearness::of(Timestamp::MAX, Timestamp::MIN), Some(Nearness::Over));
}

#[test]
fn field_18_a_token_tells_its_end() {
    let at = |token: &str| {
        let mut document = good();
        user(&mut document)["token"] = json!(token);
        parse(&document)
    };
    let end = now() + SignedDuration::from_mins(10);
    for exp in [json!(end.as_second()), json!(end.as_second() as f64 + 0.5)] {
        let credentials = at(&jwt(&json!({"sub": "x", "exp": exp}))).unwrap();
        assert_eq!(credentials.valid_until(), Some(end));
        let ending = credentials.ending(now()).unwrap();
        assert_eq!(ending.nearness, Nearness::Within1Hour);
        let told = ending.to_string();
        assert!(
            told.contains("token") && told.contains("within 1 hour") && told.contains(&end.to_string()),
            "{told}"
        );
        assert!(credentials.ending(now() - SignedDuration::from_hours(40 * 24)).is_none());
    }
    let over = at(&jwt(&json!({"exp": now().as_second()}))).unwrap_err();
    assert_eq!(over.reason(), "KubeconfigExpired");
    assert!(over.to_string().contains("the token expired"), "{over}");
    // What tells no end has none.
    let padded = format!("a.{}.b", STANDARD.encode("{\"exp\":\"soon\"}"));
    for token in [
        "opaque",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        &padded,
        &jwt(&json!({})),
        &jwt(&json!({"exp": null})),
        &jwt(&json!({"exp": "1"})),
        &jwt(&json!({"exp": 1e300})),
        &jwt(&json!([])),
        "bootst.0123456789abcdef",
    ] {
        assert_eq!(at(token).unwrap().valid_until(), None, "{token}");
    }
}

#[test]
fn field_18_of_a_certificate_and_a_token_the_first_end_counts() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 1, 20);
    let certificate = params.self_signed(&key).unwrap().pem();
    let mut document = good();
    for (exp, told) in [(3600, "token"), (40 * 24 * 3600, "client certificate")] {
        *user(&mut document) = json!({
            "client-certificate-data": STANDARD.encode(&certificate),
            "client-key-data": STANDARD.encode(key.serialize_pem()),
            "token": jwt(&json!({"exp": now().as_second() + exp})),
        });
        let ending = parse(&document).unwrap().ending(now()).unwrap();
        assert_eq!(ending.credential.to_string(), told);
    }
}

/// The condition tells it while the worker is Ready, and nothing but the step changes.
#[tokio::test]
async fn field_18_a_worker_whose_token_ends_soon_says_so_while_it_is_ready() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let fleet = Fleet::new(options());
    let mut document = document(&api);
    for (left, reason) in [
        (SignedDuration::from_mins(10), "ExpiresWithin1Hour"),
        (SignedDuration::from_hours(48), "ExpiresWithin7Days"),
        (SignedDuration::from_hours(480), "ExpiresWithin30Days"),
        (SignedDuration::from_hours(4800), "Accepted"),
    ] {
        let exp = (Timestamp::now() + left).as_second();
        document["users"][0]["user"]["token"] = json!(jwt(&json!({"exp": exp})));
        fleet.upsert(&worker("w"), &secret(&document));
        until_condition(&fleet, "w", conditions::CREDENTIALS_VALID, Status::True, reason).await?;
        until_condition(&fleet, "w", conditions::READY, Status::True, "Ready").await?;
    }
    Ok(())
}
