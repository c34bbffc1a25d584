fn main() -> std::process::ExitCode {
    hardway::cli::run(std::env::args_os())
}
