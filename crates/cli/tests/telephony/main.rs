//! Outdial on a real Asterisk, with SIPp as carrier, called people and agents' phones. `TEST_ASTERISK_ROOT` names the tree
//! in which Asterisk is (`scripts/asterisk.sh` makes it).

#![expect(clippy::print_stdout, reason = "the counts are a result in themselves")]

mod caller_ids;
mod centre;
mod checks;
mod conversations;
mod detected;
mod driver;
mod fleet;
mod lab;
mod outages;
mod recordings;
mod sound;
mod third_parties;
mod tls;
