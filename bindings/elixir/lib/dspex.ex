defmodule DSPex do
  # DSPy for Elixir: each function here is one call of framework `dspy`.
  # Owns: the names and shapes of those calls. Must not know: how calls travel (SnakepitBridge.API),
  # what DSPy makes of the parameters.
  @moduledoc """
  DSPy programs, run by Python and asked from Elixir.

      alias SnakepitBridge.API.Sessions

      session = Sessions.open!()
      lm = DSPex.lm("openai/gpt-4o-mini", api_key_env: "OPENAI_API_KEY")

      {:ok, prediction} =
        DSPex.chain_of_thought(session, "question -> answer: float", %{question: "…"}, lm: lm)

      prediction[:answer]

  A pool of the platform must serve framework `dspy`. There is no logic here: what a function does
  is the operation of its name in `docs/dspy.md`, `docs/programs.md` or `docs/optimizers.md`.

  **Arguments.** A `session` is that of `SnakepitBridge.API.Sessions`. A signature is a string, a
  `DSPex.Signature` or a document. Inputs are a map or a keyword list. A program is a
  `t:DSPex.Program.source/0`.

  **Options.** `:pool`, `:timeout` (milliseconds or `:infinity`), `:affinity`, `:parent`,
  `:traceparent`, for streams also `:window`, are those of `SnakepitBridge.API.Frameworks`. All
  others are parameters of the operation, as `:lm`, `:adapter`, `:config`, `:demos`, `:history`;
  one that it does not have is refused by the platform, by its name. Keyword lists do for objects,
  at any depth, and an option that is nil is left out.

  **Answers** are `{:ok, answer}` or `{:error, %SnakepitBridge.Error{}}`; a function with `!` gives
  the answer or raises the error. A `stream_…` function gives a lazy enumerable of `{:chunk, map}`,
  ended by `{:result, answer}` or `{:error, error}`; who leaves it early cancels the call.

  **The language model** is the option `:lm`, see `lm/3`. A call of `predict`, `chain_of_thought`,
  `react` and `ask` without it has the configured one; so has a program given as a document that
  names none. A program that is kept in a variable has its own, unless the call names another: for
  one that has none write `lm: DSPex.lm()`.

  `defdspy/3` makes a module of a signature, with a struct of its outputs.
  """

  import DSPex.Bang, only: [bang: 2]

  alias DSPex.Call
  alias DSPex.LM
  alias DSPex.Prediction
  alias DSPex.Program
  alias SnakepitBridge.API.State
  alias SnakepitBridge.Error
  alias SnakepitBridge.Session

  @type signature :: String.t() | DSPex.Signature.t() | map()
  @type inputs :: map() | keyword()
  @type options :: keyword()
  @type answer(type) :: {:ok, type} | {:error, Error.t()}

  @typedoc """
  How a prediction is judged: a function of (example, prediction), both maps with string keys, which
  answers a number, a boolean or `%{score: number, feedback: text}`; the name of a tool; a kind as
  `:exact_match`; one of these with keys, as `{:exact_match, field: "label"}`; or a document.

  A function is registered as a tool of the session for the time of the call; several calls of it
  may run at once, each in a process of its own. A function of one argument gets all that a metric
  is asked with.
  """
  @type metric ::
          (map(), map() -> term())
          | (map() -> term())
          | String.t()
          | atom()
          | map()
          | {term(), keyword() | map()}

  @doc "Imports `defdspy/2` and `defdspy/3`."
  defmacro __using__(_opts) do
    quote do
      import DSPex, only: [defdspy: 2, defdspy: 3]
    end
  end

  @doc """
  Makes a module of a signature, which is read when the module is compiled: a mistake in it is a
  `CompileError` at this line.

      defmodule MyApp.Programs do
        use DSPex

        defdspy Triage, "message: str -> label: Literal['urgent', 'routine'], reason: str",
          module: :chain_of_thought,
          doc: "Sorts messages of passengers."
      end

      {:ok, %MyApp.Programs.Triage{label: label}} =
        MyApp.Programs.Triage.call(session, message: "The cellar is under water!")

  Options: `:module`, the kind of program (`:predict`), one of
  `DSPex.Program.kinds_of_signature/0`; `:doc`, documentation of the module, for people only; and
  the keys of `DSPex.Program`, as `:instructions`, which the language model is told.

  The module has

  - a struct with a key for each output field, and `prediction`, the whole `DSPex.Prediction`;
  - `call/3`, `call!/3` and `stream/3` (session, inputs, options), with types that follow the
    signature. A missing or an unknown input is refused before anything is sent. The option
    `:program` runs another program of this signature, such as the name of the variable where an
    optimizer improved it;
  - `program/0` (the document), `signature/0`, `inputs/0` and `outputs/0` (names of the fields).
  """
  defmacro defdspy(name, signature, opts \\ []) do
    DSPex.Define.module(name, signature, opts, __CALLER__)
  end

  @doc "The configured language model, see `DSPex.LM`; nil without one."
  @spec lm() :: LM.t() | nil
  defdelegate lm, to: LM, as: :default

  @doc """
  A language model: a tool of this program, a provider's, or one in the worker.

      DSPex.lm(:host, "model", temperature: 0.2)
      DSPex.lm("openai/gpt-4o-mini", api_key_env: "OPENAI_API_KEY")
      DSPex.lm(:transformers, "chat", max_tokens: 200)

  `DSPex.LM` has the settings; an unknown one raises `ArgumentError`.
  """
  @spec lm(:host | :transformers | String.t(), String.t() | atom() | keyword(), keyword()) ::
          LM.t()
  defdelegate lm(kind, name_or_settings \\ [], settings \\ []), to: LM, as: :new

  @doc "Asks once for the outputs of a signature."
  @spec predict(Session.t(), signature(), inputs(), options()) :: answer(Prediction.t())
  def predict(session, signature, inputs, opts \\ []),
    do: asked(session, "predict", signature, inputs, opts)

  @doc "As `predict/4`, with reasoning before the answer, in the output `reasoning`."
  @spec chain_of_thought(Session.t(), signature(), inputs(), options()) :: answer(Prediction.t())
  def chain_of_thought(session, signature, inputs, opts \\ []),
    do: asked(session, "chain_of_thought", signature, inputs, opts)

  @doc """
  An agent, which may call the host tools named in `tools` before it answers.

  Parameters besides: `:max_iters` (20 steps) and `:native_tool_calls`.
  """
  @spec react(Session.t(), signature(), inputs(), [String.t() | atom()], options()) ::
          answer(Prediction.t())
  def react(session, signature, inputs, tools, opts \\ []),
    do: asked(session, "react", signature, inputs, [{:tools, tools} | opts])

  @doc "Runs a program. `prediction.program` says which version ran, if it was named."
  @spec run(Session.t(), Program.source(), inputs(), options()) :: answer(Prediction.t())
  def run(session, program, inputs, opts \\ []) do
    {parameters, opts} = of_program(program, %{inputs: Map.new(inputs)}, opts)
    prediction(Call.execute(session, "run", parameters, opts))
  end

  @doc """
  Runs a program on many inputs, `:max_concurrency` (64) at a time.

  Answers a map: `"results"` in the order of the inputs, each `%{"outputs" => map}` or
  `%{"error" => map}`, and `"errors"`, how many failed.
  """
  @spec batch(Session.t(), Program.source(), [inputs()], options()) :: answer(map())
  def batch(session, program, inputs, opts \\ []) do
    {parameters, opts} = of_program(program, %{inputs: Enum.map(inputs, &Map.new/1)}, opts)
    Call.execute(session, "batch", parameters, opts)
  end

  @doc """
  Scores a program on examples.

  `data` is a list of examples, each a map or a keyword list, or `%{variable: name}`; `metric` a
  `t:metric/0`. Answers a map with `"score"` in percent and `"results"` of the examples.
  """
  @spec evaluate(Session.t(), Program.source(), list() | map(), metric(), options()) ::
          answer(map())
  def evaluate(session, program, data, metric, opts \\ []) do
    {parameters, opts} = of_program(program, %{data: data, metric: metric}, opts)
    Call.execute(session, "evaluate", parameters, opts)
  end

  @doc """
  Lets one of DSPy's optimizers improve a program.

      DSPex.optimize(session, "triage", :BootstrapFewShot,
        data: [train: examples, validation: others],
        metric: fn example, prediction -> example["label"] == prediction["label"] end,
        options: [max_bootstrapped_demos: 2])

  A program that is named gets a new version of its variable, which is locked meanwhile. Answers a
  map with `"before"` and `"after"`, the scores in percent, and `"program"`, the variable with its
  new version, or the new document. `optimizers/2` tells which there are.
  """
  @spec optimize(Session.t(), Program.source(), atom() | String.t(), options()) ::
          answer(map())
  def optimize(session, program, optimizer, opts \\ []) do
    {parameters, opts} = of_program(program, %{optimizer: optimizer}, opts)
    Call.execute(session, "optimize", parameters, opts)
  end

  @doc ~S(The optimizers, each a map with `"name"`, `"doc"`, `"options"`, a JSON Schema, and more.)
  @spec optimizers(Session.t(), options()) :: answer([map()])
  def optimizers(session, opts \\ []) do
    with {:ok, listed} <- Call.execute(session, "optimizers", %{}, opts),
         do: {:ok, listed["optimizers"]}
  end

  @doc """
  Asks a language model itself. `prompt` is a text, or a list of messages as `docs/host_lm.md` has
  them. Answers the choices, maps with `"content"` and `"finish_reason"`; `:n` asks for several.
  """
  @spec ask(Session.t(), String.t() | [map()], options()) :: answer([map()])
  def ask(session, prompt, opts \\ []) do
    with {:ok, told} <- Call.execute(session, "lm", prompt(prompt), Call.with_default_lm(opts)),
         do: {:ok, told["choices"]}
  end

  # ---- Programs that are kept ----------------------------------------------------------------

  @doc """
  The document of a program, see `DSPex.Program`.

      DSPex.program(:chain_of_thought, "message -> label", instructions: "Be strict.")
      DSPex.program(:sequence, nil, programs: […], options: [steps: […]])
  """
  @spec program(atom(), signature() | nil, keyword()) :: Program.t()
  defdelegate program(kind, signature, opts \\ []), to: Program, as: :new

  @doc """
  Keeps a program in a new variable `name` of the session; answers its version, 1. Options are those
  of `SnakepitBridge.API.State.register/5`. Versions, history and rollback are those of any
  variable.
  """
  @spec put_program(Session.t(), String.t(), Program.t() | map() | module(), options()) ::
          answer(pos_integer())
  def put_program(session, name, program, opts \\ []),
    do: State.register(session, name, :program, Program.reference(program), opts)

  @doc ~S(What a program is: `"inputs"`, `"outputs"`, `"predictors"`, `"tools"` and more, a map.)
  @spec describe(Session.t(), Program.source(), options()) :: answer(map())
  def describe(session, program, opts \\ []),
    do: Call.execute(session, "describe_program", named(program), opts)

  @doc """
  Whether a program can be built: `%{"valid" => true}`, or false with `"place"` and `"message"`.
  """
  @spec check(Session.t(), Program.source(), options()) :: answer(map())
  def check(session, program, opts \\ []),
    do: Call.execute(session, "check_program", named(program), opts)

  @doc "What a program has learned: the content of the JSON file that DSPy's `save` writes, a map."
  @spec save_state(Session.t(), Program.source(), options()) :: answer(map())
  def save_state(session, program, opts \\ []) do
    with {:ok, saved} <- Call.execute(session, "save_state", named(program), opts),
         do: {:ok, saved["state"]}
  end

  @doc """
  Loads what `save_state/3`, or DSPy's `save`, gave. Answers the variable with its new version, or
  the document with the state. Parameters besides: `:expected_version` and `:owner`.
  """
  @spec load_state(Session.t(), Program.source(), map(), options()) :: answer(map())
  def load_state(session, program, state, opts \\ []) do
    parameters = Map.put(named(program), :state, state)

    with {:ok, loaded} <- Call.execute(session, "load_state", parameters, opts),
         do: {:ok, loaded["program"]}
  end

  # ---- The same, raising ---------------------------------------------------------------------

  bang predict(signature :: signature(), inputs :: inputs()), Prediction.t()
  bang chain_of_thought(signature :: signature(), inputs :: inputs()), Prediction.t()
  bang react(signature :: signature(), inputs :: inputs(), tools :: list()), Prediction.t()
  bang run(program :: Program.source(), inputs :: inputs()), Prediction.t()
  bang batch(program :: Program.source(), inputs :: [inputs()]), map()
  bang evaluate(program :: Program.source(), data :: list() | map(), metric :: metric()), map()
  bang optimize(program :: Program.source(), optimizer :: atom() | String.t()), map()
  bang optimizers(), [map()]
  bang ask(prompt :: String.t() | [map()]), [map()]
  bang put_program(name :: String.t(), program :: Program.t() | map() | module()), pos_integer()
  bang describe(program :: Program.source()), map()
  bang check(program :: Program.source()), map()
  bang save_state(program :: Program.source()), map()
  bang load_state(program :: Program.source(), state :: map()), map()

  # ---- Streams -------------------------------------------------------------------------------

  @doc """
  As `predict/4`, as a stream. Chunks are `%{"type" => "token", "field" => …, "text" => …}` for text
  of output fields and `%{"type" => "status", "message" => …}`; the answer is a `DSPex.Prediction`.
  """
  @spec stream_predict(Session.t(), signature(), inputs(), options()) :: Enumerable.t()
  def stream_predict(session, signature, inputs, opts \\ []),
    do: stream_asked(session, "predict", signature, inputs, opts)

  @doc "As `chain_of_thought/4`, as a stream with the chunks of `stream_predict/4`."
  @spec stream_chain_of_thought(Session.t(), signature(), inputs(), options()) :: Enumerable.t()
  def stream_chain_of_thought(session, signature, inputs, opts \\ []),
    do: stream_asked(session, "chain_of_thought", signature, inputs, opts)

  @doc "As `react/5`, as a stream with the chunks of `stream_predict/4`."
  @spec stream_react(Session.t(), signature(), inputs(), [String.t() | atom()], options()) ::
          Enumerable.t()
  def stream_react(session, signature, inputs, tools, opts \\ []),
    do: stream_asked(session, "react", signature, inputs, [{:tools, tools} | opts])

  @doc "As `run/4`, as a stream with the chunks of `stream_predict/4`."
  @spec stream_run(Session.t(), Program.source(), inputs(), options()) :: Enumerable.t()
  def stream_run(session, program, inputs, opts \\ []) do
    {parameters, opts} = of_program(program, %{inputs: Map.new(inputs)}, opts)
    Call.stream(session, "run", parameters, opts, &Prediction.new/1)
  end

  @doc "As `batch/4`, as a stream: each outcome as it comes, with its `\"index\"`."
  @spec stream_batch(Session.t(), Program.source(), [inputs()], options()) :: Enumerable.t()
  def stream_batch(session, program, inputs, opts \\ []) do
    {parameters, opts} = of_program(program, %{inputs: Enum.map(inputs, &Map.new/1)}, opts)
    Call.stream(session, "batch", parameters, opts, & &1)
  end

  @doc "As `evaluate/5`, as a stream: `\"done\"`, `\"total\"` and `\"score\"` so far."
  @spec stream_evaluate(Session.t(), Program.source(), list() | map(), metric(), options()) ::
          Enumerable.t()
  def stream_evaluate(session, program, data, metric, opts \\ []) do
    {parameters, opts} = of_program(program, %{data: data, metric: metric}, opts)
    Call.stream(session, "evaluate", parameters, opts, & &1)
  end

  @doc ~S(As `optimize/4`, as a stream: `"phase"`, `"trial"`, `"best"` and more.)
  @spec stream_optimize(Session.t(), Program.source(), atom() | String.t(), options()) ::
          Enumerable.t()
  def stream_optimize(session, program, optimizer, opts \\ []) do
    {parameters, opts} = of_program(program, %{optimizer: optimizer}, opts)
    Call.stream(session, "optimize", parameters, opts, & &1)
  end

  @doc "As `ask/3`, as a stream: `\"index\"` and `\"text\"`."
  @spec stream_ask(Session.t(), String.t() | [map()], options()) :: Enumerable.t()
  def stream_ask(session, prompt, opts \\ []) do
    opts = Call.with_default_lm(opts)
    Call.stream(session, "lm", prompt(prompt), opts, & &1["choices"])
  end

  # ---- Helpers -------------------------------------------------------------------------------

  defp asked(session, operation, signature, inputs, opts) do
    parameters = %{signature: signature, inputs: Map.new(inputs)}
    prediction(Call.execute(session, operation, parameters, Call.with_default_lm(opts)))
  end

  defp stream_asked(session, operation, signature, inputs, opts) do
    parameters = %{signature: signature, inputs: Map.new(inputs)}
    opts = Call.with_default_lm(opts)
    Call.stream(session, operation, parameters, opts, &Prediction.new/1)
  end

  defp of_program(program, parameters, opts) do
    reference = Program.reference(program)
    opts = if Program.without_lm?(reference), do: Call.with_default_lm(opts), else: opts
    {Map.put(parameters, :program, reference), opts}
  end

  defp named(program), do: %{program: Program.reference(program)}

  defp prompt(text) when is_binary(text), do: %{prompt: text}
  defp prompt(messages) when is_list(messages), do: %{messages: messages}

  defp prediction({:ok, result}), do: {:ok, Prediction.new(result)}
  defp prediction({:error, _error} = failed), do: failed
end
