//! A plan in words, for a person.

use std::fmt::{self, Display, Formatter};

use super::outline::{Change, EngineOutline, Outcome, Outline, RolloutOutline, Stage, Verb};

impl Display for Outline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (clusterID {}): {}", self.database, self.cluster_id, self.ownership)?;
        for note in &self.notes {
            writeln!(f, "Note: {note}")?;
        }
        if !self.problems.is_empty() {
            writeln!(f, "\nProblems:")?;
        }
        for problem in &self.problems {
            writeln!(f, "  {}: {}", problem.reason, problem.message)?;
        }
        for (worker, changes) in self.workers.iter().filter(|(_, changes)| !changes.is_empty()) {
            writeln!(f, "\n{worker}:")?;
            for change in changes {
                writeln!(f, "  {change}")?;
            }
        }
        if let Some(engine) = &self.engine {
            engine.fmt(f)?;
        }
        if let Some(rollout) = &self.rollout {
            rollout.fmt(f)?;
        }
        writeln!(f, "\n{}", self.sum())
    }
}

impl Outline {
    fn sum(&self) -> String {
        let count = |verb| self.workers.values().flatten().filter(|change| change.verb == verb).count();
        let [created, updated, deleted] = [Verb::Create, Verb::Update, Verb::Delete].map(count);
        let steps = self.engine.as_ref().map_or(0, |engine| engine.steps.len());
        match self.outcome {
            Outcome::NothingToDo => "Nothing to do.".to_owned(),
            _ if created + updated + deleted + steps == 0 => match self.outcome {
                Outcome::Problem => "Nothing is done before the problems are solved.".to_owned(),
                _ => "Nothing to do but to wait.".to_owned(),
            },
            _ => format!(
                "Next: {created} to create, {updated} to update, {deleted} to delete; steps on members: {steps}. \
                 What follows is planned from what is observed then."
            ),
        }
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = match self.verb {
            Verb::Create => "+ create",
            Verb::Update => "~ update",
            Verb::Delete => "- delete",
        };
        write!(f, "{sign} {}: {}", self.object, self.why)
    }
}

impl Display for EngineOutline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() && self.waiting.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nMembers:")?;
        for step in &self.steps {
            writeln!(f, "  {}: {}", step.group, step.what)?;
            writeln!(f, "    because {}", step.reason)?;
            writeln!(f, "    then waits for {}", step.waits_for)?;
        }
        if self.anchors_first && !self.steps.is_empty() {
            writeln!(f, "  None of it is begun before the anchors are written.")?;
        }
        for waiting in &self.waiting {
            writeln!(f, "  waits for {waiting}")?;
        }
        Ok(())
    }
}

impl Display for RolloutOutline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.waiting.is_none() && !self.rolling {
            return Ok(());
        }
        writeln!(
            f,
            "\nRollout of chart {}: {} of {} pods have its template",
            self.chart_version, self.updated, self.total
        )?;
        for turn in self.order.iter().filter(|_| self.rolling) {
            let stage = match turn.stage {
                Stage::Done => "done ",
                Stage::Now => "next ",
                Stage::Later => "later",
            };
            writeln!(f, "  {stage} {} in {}", turn.component, turn.placement)?;
        }
        match &self.waiting {
            Some(waiting) => writeln!(f, "  waits for {waiting}"),
            None => Ok(()),
        }
    }
}
