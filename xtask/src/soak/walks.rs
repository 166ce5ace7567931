//! Random walks of the planner's model. Each run of the tests takes the same ones, so that a failure there is a change's;
//! what nobody has walked yet is looked for here.

use crate::cargo::cargo;
use crate::command::run as run_command;
use crate::interrupt::unless_interrupted;

/// Set where the model takes walks that no run took before.
const OTHERS: &str = "KOGGE_OTHER_WALKS";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many times 400 walks are taken
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
}

/// Ends with the first walk after which something does not hold; it is printed.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    unless_interrupted(async {
        for time in 1..=args.times {
            println!("{time} of {} times", args.times);
            let mut walks = cargo(&["test", "--locked", "--workspace", "--test", "model", "random"]);
            walks.env(OTHERS, "1");
            run_command(walks).await?;
        }
        Ok(())
    })
    .await
}
