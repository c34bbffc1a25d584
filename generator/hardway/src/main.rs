fn main() -> std::process::ExitCode {
    hardway::commands::run(std::env::args_os())
}
