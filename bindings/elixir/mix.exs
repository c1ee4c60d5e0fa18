defmodule SnakepitBridge.MixProject do
  # The project: no dependency from hex, and the NIF library as a compiler of its own.
  use Mix.Project

  @version "0.1.0"

  def project do
    [
      app: :snakepit_bridge,
      version: @version,
      elixir: "~> 1.14",
      description: "Python machine-learning frameworks in supervised worker processes",
      elixirc_paths: if(Mix.env() == :test, do: ["lib", "test/support"], else: ["lib"]),
      compilers: [:snakepit_nif] ++ Mix.compilers(),
      start_permanent: Mix.env() == :prod,
      deps: []
    ]
  end

  def application do
    [mod: {SnakepitBridge.Application, []}, extra_applications: [:logger, :crypto]]
  end
end

defmodule Mix.Tasks.Compile.SnakepitNif do
  # Puts the C library, its guard and the NIF library into priv/native.
  #
  # Owns: finding the library, building what has to be built, placing files. It is here because a
  # project cannot use a task of its own lib/. The library is, in this order,
  #   * in the directory that SNAKEPIT_BRIDGE_LIB names,
  #   * where pkg-config says that it was installed,
  #   * built from the checkout that this project is in (SNAKEPIT_BRIDGE_PROFILE=dev, and in tests
  #     without it: a debug build).
  @moduledoc false
  use Mix.Task.Compiler

  @crate "native/snakepit_bridge_nif"
  @soname "libsnakepit_bridge.so.0"

  @impl true
  def run(_args) do
    with {:ok, library} <- find_library(),
         {:ok, nif} <- build_nif(library) do
      copied = [
        place(nif, "snakepit_bridge_nif.so"),
        place(library.file, @soname),
        place(library.guard, "snakepit-guard")
      ]

      # priv may be new, and _build has to show it.
      Mix.Project.build_structure()
      {if(Enum.any?(copied), do: :ok, else: :noop), []}
    else
      {:error, message} -> failed(message)
    end
  end

  @impl true
  def clean do
    File.rm_rf!(path("priv/native"))
    File.rm_rf!(target())
    :ok
  end

  # ---- The library ---------------------------------------------------------------------------

  defp find_library do
    case System.get_env("SNAKEPIT_BRIDGE_LIB", "") do
      "" -> from_pkg_config() || from_checkout()
      directory -> in_directory(Path.expand(directory), nil)
    end
  end

  defp from_pkg_config do
    with directory when directory != nil <- pkg_config("libdir"),
         include when include != nil <- pkg_config("includedir") do
      in_directory(directory, include)
    end
  end

  defp pkg_config(variable) do
    with program when program != nil <- System.find_executable("pkg-config"),
         {answer, 0} <-
           System.cmd(program, ["--variable=" <> variable, "snakepit_bridge"],
             stderr_to_stdout: true
           ) do
      String.trim(answer)
    else
      _ -> nil
    end
  end

  defp from_checkout do
    root = path("../..")

    if File.exists?(Path.join(root, "src/capi")) do
      debug? = profile() == "dev"
      target = System.get_env("CARGO_TARGET_DIR") || Path.join(root, "target")
      arguments = ["build", "--quiet", "--lib", "--bins", "--profile", profile()]

      with :ok <- cargo(arguments, root, []) do
        in_directory(Path.join(target, if(debug?, do: "debug", else: "release")), nil)
      end
    else
      {:error,
       "libsnakepit_bridge was not found: install it (scripts/install.sh), or name its " <>
         "directory in SNAKEPIT_BRIDGE_LIB"}
    end
  end

  defp profile do
    default = if Mix.env() == :test, do: "dev", else: "release"
    System.get_env("SNAKEPIT_BRIDGE_PROFILE", default)
  end

  # The library of a directory, with the header and the guard that belong to it.
  defp in_directory(directory, include) do
    file = Enum.find(in_each([directory], [@soname, "libsnakepit_bridge.so"]), &File.exists?/1)
    guards = in_each([directory, Path.join(directory, "../libexec")], ["snakepit-guard"])
    guard = Enum.find([System.get_env("SPB_GUARD", "") | guards], &File.regular?/1)
    includes = [include, Path.join(directory, "../include"), path("../../include")]
    header? = &File.exists?(Path.join(&1, "snakepit_bridge.h"))
    include = includes |> Enum.reject(&is_nil/1) |> Enum.find(header?)

    cond do
      file == nil -> {:error, "no #{@soname} in #{directory}"}
      guard == nil -> {:error, "no snakepit-guard beside #{file}, nor in ../libexec from there"}
      include == nil -> {:error, "no snakepit_bridge.h for #{file}"}
      true -> {:ok, %{file: file, guard: guard, include: Path.expand(include)}}
    end
  end

  defp in_each(directories, names) do
    for directory <- directories, name <- names, do: Path.join(directory, name)
  end

  # ---- The NIF library -----------------------------------------------------------------------

  # Linked against a directory of its own, because installed libraries have other names, and the
  # linker wants this one.
  defp build_nif(library) do
    link = Path.join(target(), "link")
    File.mkdir_p!(link)
    name = Path.join(link, "libsnakepit_bridge.so")
    File.rm(name)
    File.ln_s!(Path.expand(library.file), name)

    environment = [
      {"SNAKEPIT_BRIDGE_LIB", link},
      {"SNAKEPIT_BRIDGE_INCLUDE", library.include},
      {"CARGO_TARGET_DIR", target()}
    ]

    # Always optimized: what it does has to take microseconds.
    with :ok <- cargo(["build", "--quiet", "--release", "--locked"], path(@crate), environment) do
      {:ok, Path.join(target(), "release/libsnakepit_bridge_nif.so")}
    end
  end

  defp target, do: Path.join(Mix.Project.build_path(), "native")

  defp cargo(arguments, directory, environment) do
    options = [cd: directory, env: environment, stderr_to_stdout: true, into: IO.stream()]

    case System.find_executable("cargo") do
      nil ->
        {:error, "cargo was not found: install Rust (https://rustup.rs)"}

      program ->
        case System.cmd(program, arguments, options) do
          {_, 0} -> :ok
          {_, status} -> {:error, "cargo #{Enum.join(arguments, " ")} ended with #{status}"}
        end
    end
  end

  # ---- Files ---------------------------------------------------------------------------------

  # Never in place: a running system may have the old file mapped.
  defp place(from, name) do
    to = path(Path.join("priv/native", name))

    if same?(from, to) do
      false
    else
      File.mkdir_p!(Path.dirname(to))
      new = to <> ".new"
      File.cp!(from, new)
      File.touch!(new, File.stat!(from).mtime)
      File.rename!(new, to)
      true
    end
  end

  defp same?(from, to) do
    with {:ok, %{size: size, mtime: mtime}} <- File.stat(from),
         {:ok, %{size: ^size, mtime: ^mtime}} <- File.stat(to) do
      true
    else
      _ -> false
    end
  end

  defp path(relative), do: Path.expand(relative, __DIR__)

  defp failed(message) do
    Mix.shell().error(message)

    {:error,
     [
       %Mix.Task.Compiler.Diagnostic{
         compiler_name: "snakepit_nif",
         file: __ENV__.file,
         message: message,
         position: nil,
         severity: :error
       }
     ]}
  end
end
