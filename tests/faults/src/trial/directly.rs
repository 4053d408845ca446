//! The same host without its daemon: `lookup-once`, on a state directory of its own.

use keyroster_testkit::{Result, until};

use crate::rules::{Effect, Key, Word, before, expected};
use crate::stage::Stage;
use crate::trial::{PATIENCE, Round, Trial};
use crate::world::World;

impl Trial<'_> {
    /// Asks `lookup-once`, which asks the key server first, however fresh what it holds is.
    pub(super) fn ask_directly(&mut self, world: &World, stage: &Stage<'_>) -> Result {
        if !self.fault.script.direct || stage.is_apart() {
            return Ok(());
        }
        let config = self.slot.ask_directly(stage)?;
        let (effect, mode, held) = (self.fault.effect, self.mode, self.held);
        let first = |key| before(effect, mode, held, key);
        let heard = |key| expected(effect, mode, held, key);
        let round = Round {
            config: &config,
            user: &world.agent,
            keys: &[Key::Granted, Key::Revoked, Key::Stranger],
            right: &|key| vec![heard(key)],
        };
        if matches!(effect, Effect::Decided | Effect::Ended | Effect::Refused) {
            let either = |key| vec![first(key), heard(key), Word::Unavailable];
            self.until_heard(
                world,
                stage,
                &Round {
                    right: &either,
                    ..round
                },
            )?;
        }
        self.round(world, &round)
    }

    /// A key server that has something to say may be too slow for one login on a busy machine. Its word is kept on the disk.
    fn until_heard(&mut self, world: &World, stage: &Stage<'_>, round: &Round<'_>) -> Result {
        until("lookup-once to hear the key server", PATIENCE * 3, || {
            self.one(world, round, Key::Granted)?;
            Ok(stage.has_heard_directly()?.then_some(()))
        })
    }
}
