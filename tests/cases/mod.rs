//! The cases, in the order in which they run: later ones use databases that earlier ones made, and make them where
//! they run alone.

mod access;
mod bad_input;
mod broken_workers;
mod control_lost;
mod crash;
mod create;
mod deletion;
mod etcd;
mod gate;
mod life;
mod partition;
mod protection;
mod recovery;
mod rollout;
mod shards;
mod silence;

use kogge_e2e::{Case, DATABASES, Database, Harness, SCRATCH, VDCS, ready};

/// A database without cool-off that outlives the case that makes it.
const LATE: &str = "late";

macro_rules! cases {
    ($($concern:ident::$case:ident),* $(,)?) => {
        vec![$(Case {
            name: concat!(stringify!($concern), "::", stringify!($case)),
            run: |harness| Box::pin($concern::$case(harness)),
        }),*]
    };
}

/// The cases that every run of the tests shows.
pub(crate) fn all() -> Vec<Case> {
    cases![
        create::a_database_forms_in_three_data_centres,
        create::every_example_is_accepted,
        create::every_name_resolves_in_every_cluster,
        create::clients_write_and_read_through_the_routers,
        silence::a_settled_database_is_not_written_to,
        etcd::a_cluster_forms_in_three_data_centres,
        etcd::every_answer_is_right_through_its_life,
        broken_workers::each_broken_kubeconfig_is_named,
        broken_workers::a_cluster_is_registered_once,
        bad_input::an_unknown_data_centre_is_named_and_nothing_is_written,
        bad_input::what_does_not_render_leaves_the_running_database_alone,
        bad_input::an_object_of_another_owner_is_left_alone,
        protection::a_count_of_zero_is_refused,
        protection::a_count_of_zero_on_a_worker_is_put_back,
        gate::a_wiped_volume_is_held_until_the_member_is_admitted_anew,
        partition::cut_off_before_the_create_nothing_is_written,
        partition::cut_off_after_the_initiate_the_others_serve,
        partition::a_write_whose_answer_is_lost_is_found_out,
        control_lost::a08_elections_and_clients_go_on,
        crash::killed_at_ten_random_moments_it_reaches_the_same_state,
        deletion::a_deleted_database_is_torn_down_in_order,
        deletion::a_deleted_database_leaves_nothing_behind,
        protection::a_deleted_resource_keeps_its_database_through_the_cool_off,
        protection::a_deleted_definition_halts_every_teardown,
        protection::a_deleted_namespace_halts_its_teardowns,
    ]
}

/// The cases that are too long for that: `cargo xtask soak lab`.
pub(crate) fn long() -> Vec<Case> {
    cases![
        life::members_come_change_and_go_while_a_client_writes,
        access::keyfile_and_tls_are_rotated_while_a_client_writes,
        rollout::restarts_and_power_cuts_change_no_config,
        rollout::a_power_cut_in_the_middle_of_a_rollout_changes_no_config,
        rollout::tls_is_switched_on_beside_a_member_without_a_vote,
        recovery::primaries_leave_a_data_centre_and_come_back,
        recovery::a_lost_majority_is_given_up_by_a_person,
        etcd::a_lost_majority_is_restored_from_what_is_left,
        etcd::clients_with_a_certificate_are_answered_through_a_rotation,
        shards::a_shard_with_data_is_added_and_removed,
    ]
}

/// The database of `examples/ll2022.yaml`, standing. It serves several cases.
async fn example(harness: &Harness) -> anyhow::Result<Database<'_>> {
    let database = harness.database(DATABASES, "ll2022");
    if !stands(&database).await? {
        harness.kubectl(kogge_lab::CONTROL, &["apply", "-f", "examples/ll2022.yaml"]).await?;
        database.ready().await?;
    }
    Ok(database)
}

/// A database in three data centres without cool-off, standing.
async fn scratch<'a>(harness: &'a Harness, name: &'a str) -> anyhow::Result<Database<'a>> {
    let database = harness.database(SCRATCH, name);
    if !stands(&database).await? {
        database.apply(&database.manifest(&VDCS[..3])).await?;
        database.ready().await?;
    }
    Ok(database)
}

async fn stands(database: &Database<'_>) -> anyhow::Result<bool> {
    Ok(database.find().await?.is_some_and(|cluster| ready(&cluster).is_ok()))
}
