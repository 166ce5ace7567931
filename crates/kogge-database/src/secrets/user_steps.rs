//! The users that Kogge makes, by generation. A user has one password, so the next password comes with
//! the next user: it is made on every group, then the administrator's Secret names it, and the previous user
//! is removed a grace later. Who reads the Secret again within the grace is never refused. Each step is written
//! down before the next one begins, so whoever is killed anywhere goes on where the Secret says.

use std::time::Duration;

use super::database::DatabaseSecrets;
use super::users::{Login, PreviousUsers, Users};

/// The next step from one generation of users to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsersStep<'a> {
    /// To make these users on every group. Then comes [`DatabaseSecrets::with_next_users`].
    Create(&'a Users),
    /// To write down that the administrator's Secret names the present user, [`DatabaseSecrets::with_grace_from`],
    /// once that is so.
    BeginGrace,
    /// To remove these users from every group. Then comes [`DatabaseSecrets::without_previous_users`].
    Remove(&'a Users),
}

impl DatabaseSecrets {
    /// The next step for the users; none where nothing is to do now. `now` is in seconds since 1970.
    pub fn users_step(&self, grace: Duration, now: i64) -> Option<UsersStep<'_>> {
        if let Some(next) = &self.next_users {
            return Some(UsersStep::Create(next));
        }
        let previous = self.previous_users.as_ref()?;
        match previous.replaced_at {
            None => Some(UsersStep::BeginGrace),
            Some(since) if end_of(since, grace) <= now => Some(UsersStep::Remove(&previous.users)),
            Some(_) => None,
        }
    }

    /// With the next users as the present ones: every group knows them.
    #[must_use]
    pub fn with_next_users(&self) -> Self {
        let Some(users) = self.next_users.clone() else { return self.clone() };
        let previous = PreviousUsers { users: self.users.clone(), replaced_at: None };
        Self { users, next_users: None, previous_users: Some(previous), ..self.clone() }
    }

    /// With the grace of the previous users counted from now on.
    #[must_use]
    pub fn with_grace_from(&self, now: i64) -> Self {
        let begun = |previous: &PreviousUsers| PreviousUsers { replaced_at: Some(now), ..previous.clone() };
        Self { previous_users: self.previous_users.as_ref().map(begun), ..self.clone() }
    }

    /// Without the previous users: no group knows them any more.
    #[must_use]
    pub fn without_previous_users(&self) -> Self {
        Self { previous_users: None, ..self.clone() }
    }

    /// Whom the operator logs in as where a server does not know the present user: a member that is behind knows
    /// the previous one.
    pub fn fallback_operator(&self) -> Option<Login> {
        // Versions of Kogge before users had generations gave the present user the next password; where one was
        // replaced in the middle of that, some groups have it already.
        let renewed = |next: &Users| Login { password: next.operator.clone(), ..self.users.operator() };
        let previous = |previous: &PreviousUsers| previous.users.operator();
        self.previous_users.as_ref().map(previous).or_else(|| self.next_users.as_ref().map(renewed))
    }

    /// The administrator's previous user, and when it is removed, in seconds since 1970.
    pub fn previous_admin(&self, grace: Duration) -> Option<(String, i64)> {
        let PreviousUsers { users, replaced_at } = self.previous_users.as_ref()?;
        Some((users.admin().user, end_of((*replaced_at)?, grace)))
    }
}

pub(super) fn end_of(since: i64, grace: Duration) -> i64 {
    since.saturating_add(i64::try_from(grace.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[path = "user_steps_tests.rs"]
mod tests;
