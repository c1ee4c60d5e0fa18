defmodule SnakepitBridge do
  # The front door: what there is, and where. Owns: the library's own facts. Must not know: how
  # anything is done.
  @moduledoc """
  Python's machine-learning frameworks in supervised worker processes, called from Elixir, and
  functions of Elixir called from that Python.

      # in your supervision tree
      {SnakepitBridge.Supervisor,
       name: MyApp.Bridge, config: %{pools: %{default: %{frameworks: %{dspy: %{}}}}}}

      alias SnakepitBridge.API.{Frameworks, Sessions, State, Tools}

      Sessions.with_session([platform: MyApp.Bridge], fn session ->
        {:ok, _} = Tools.register(session, "model", &MyApp.Model.answer/1)
        {:ok, 1} = State.register(session, "asked", :integer, 0)

        {:ok, prediction} =
          Frameworks.execute(session, :dspy, :predict, %{
            signature: "question -> answer",
            inputs: %{question: "What is the capital of Iceland?"},
            lm: %{kind: "host_tool", tool: "model"}
          })

        {:ok, 1} = State.update(session, "asked", add: 1)
        prediction["outputs"]["answer"]
      end)

  | module | for |
  | --- | --- |
  | `SnakepitBridge.Supervisor` | a platform in a supervision tree |
  | `SnakepitBridge.API.Sessions` | sessions |
  | `SnakepitBridge.API.Frameworks` | calls of Python, streams, pools, health |
  | `SnakepitBridge.API.State` | variables that both sides share |
  | `SnakepitBridge.API.Tools` | functions that the other side calls |
  | `SnakepitBridge.Telemetry` | events for those who measure |
  | `DSPex` | DSPy, in short |

  Functions give `{:ok, result}` or `{:error, %SnakepitBridge.Error{}}`; those with a `!` give the
  result or raise that error. Wrong options and terms of the wrong kind raise `ArgumentError` or
  `FunctionClauseError`: they are mistakes of the program. Nothing else is raised.

  ## Values

  | Elixir | Python | comes back as |
  | --- | --- | --- |
  | `nil`, `true`, `false` | `None`, `True`, `False` | itself |
  | integer within 64 bits, float | `int`, `float`, exactly | itself |
  | `:nan`, `:infinity`, `:neg_infinity` | that `float` | itself |
  | other atoms | `str` | text |
  | UTF-8 binary | `str` | itself |
  | list, map with texts or atoms as keys | `list`, `dict` | the same, with texts as keys |
  | `%SnakepitBridge.Blob{}` | `bytes` | itself |
  | `%SnakepitBridge.Tensor{}` | `numpy.ndarray` | itself |

  Everything else is refused with its place in the term: structs, tuples, pids, functions,
  binaries that are not UTF-8, larger integers. docs/values.md has the rules of the other side.

  ## Processes

  Calls are submitted in microseconds on any scheduler and carried out by threads of the library.
  What a process began is cancelled when it dies. Mailboxes get what was asked for and no more:
  one message for a call, one for a stream that has something after it had nothing, changes of a
  subscription as far as there is room.
  """

  alias SnakepitBridge.Native

  @doc "The version of the native library, such as `\"0.1.0\"`."
  @spec version() :: String.t()
  def version, do: Native.version()

  @doc """
  The JSON Schema of a platform's configuration, with the meaning and default of every key, as a
  JSON text.
  """
  @spec config_schema() :: String.t()
  def config_schema, do: Native.config_schema()
end
