use super::*;

#[test]
fn case_22_a_concurrent_writer_needs_an_observation() {
    for code in [code::NEW_CONFIG_INCOMPATIBLE, code::CONFIGURATION_IN_PROGRESS, code::MAX_TIME_MS_EXPIRED] {
        assert_eq!(classify(code), ErrorClass::NeedsObservation, "{code}");
    }
}

#[test]
fn case_24_an_uncommitted_config_is_transient() {
    assert_eq!(classify(308), ErrorClass::Transient);
}

#[test]
fn case_25_node_not_found_is_transient() {
    assert_eq!(classify(74), ErrorClass::Transient);
}

#[test]
fn case_26_a_primary_that_is_none_any_more_needs_an_observation() {
    for code in [189, 10107, 11602, 13435, 13436] {
        assert_eq!(classify(code), ErrorClass::NeedsObservation, "{code}");
    }
}

#[test]
fn case_42_no_caught_up_secondary_is_transient() {
    assert_eq!(classify(262), ErrorClass::Transient);
}

#[test]
fn what_is_transient_changed_nothing() {
    for code in [6, 7, 74, 94, 117, 133, 262, 308] {
        assert_eq!(classify(code), ErrorClass::Transient, "{code}");
    }
}

#[test]
fn what_may_have_changed_something_needs_an_observation() {
    for code in [23, 50, 89, 91, 95, 96, 103, 109, 189, 9001, 10107, 11600, 11602, 51003] {
        assert_eq!(classify(code), ErrorClass::NeedsObservation, "{code}");
    }
}

#[test]
fn broken_configs_rights_and_other_sets_need_a_person() {
    for code in [2, 13, 18, 20, 76, 93, 104, 108] {
        assert_eq!(classify(code), ErrorClass::NeedsPerson, "{code}");
    }
}

#[test]
fn an_unknown_code_needs_an_observation_and_has_no_name() {
    for code in [-1, 999_999] {
        assert_eq!(classify(code), ErrorClass::NeedsObservation);
        assert_eq!(name(code), None);
    }
}

#[test]
fn a_name_is_mongodb_s_own() {
    assert_eq!(name(74), Some("NodeNotFound"));
    assert_eq!(name(308), Some("CurrentConfigNotCommittedYet"));
}
