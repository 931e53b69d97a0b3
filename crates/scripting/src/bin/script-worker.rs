//! The child process for the tests of this crate; in production the program starts itself with a hidden subcommand.

fn main() -> std::io::Result<()> {
    scripting::worker::run()
}
