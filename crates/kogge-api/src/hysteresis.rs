//! Hysteresis: what fell silent must answer several times in a row before it counts as recovered, so that what
//! flaps is not acted upon again and again.

/// Answers in a row after which something that was silent counts as recovered.
pub const ANSWERS_TO_RECOVER: u32 = 5;

/// The health of one thing that is asked again and again. What was never judged silent needs one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hysteresis {
    /// Answers in a row since the silence; none while it is well.
    since_silence: Option<u32>,
}

/// What one more answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It was well before.
    Well,
    /// It was silent, and this is the answer by which it is well again.
    Recovered,
    /// It was silent, and more answers are needed.
    Recovering,
}

impl Hysteresis {
    /// It was judged silent.
    pub fn fall_silent(&mut self) {
        self.since_silence = Some(0);
    }

    /// It did not answer. That alone is no judgement, but an answer in a row it is not.
    pub fn miss(&mut self) {
        self.since_silence = self.since_silence.map(|_| 0);
    }

    /// It answered.
    pub fn answer(&mut self) -> Answered {
        match self.since_silence {
            None => Answered::Well,
            Some(answers) if answers + 1 >= ANSWERS_TO_RECOVER => {
                self.since_silence = None;
                Answered::Recovered
            }
            Some(answers) => {
                self.since_silence = Some(answers + 1);
                Answered::Recovering
            }
        }
    }

    /// It was judged silent and has not recovered.
    pub fn is_silent(&self) -> bool {
        self.since_silence.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_silent_is_well_at_once() {
        let mut health = Hysteresis::default();
        assert_eq!(health.answer(), Answered::Well);
        health.miss();
        assert_eq!(health.answer(), Answered::Well, "one answer that is missing is no silence");
    }

    #[test]
    fn case_36_five_answers_in_a_row_before_it_has_recovered() {
        let mut health = Hysteresis::default();
        health.fall_silent();
        for _ in 1..ANSWERS_TO_RECOVER {
            assert_eq!(health.answer(), Answered::Recovering);
        }
        assert!(health.is_silent());
        assert_eq!(health.answer(), Answered::Recovered);
        assert_eq!(health.answer(), Answered::Well);
    }

    #[test]
    fn case_36_what_flaps_never_recovers() {
        let mut health = Hysteresis::default();
        health.fall_silent();
        for _ in 0..100 {
            for _ in 1..ANSWERS_TO_RECOVER {
                assert_eq!(health.answer(), Answered::Recovering);
            }
            health.miss();
        }
        assert!(health.is_silent());
    }
}
