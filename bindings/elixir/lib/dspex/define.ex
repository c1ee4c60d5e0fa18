defmodule DSPex.Define do
  # The module that `defdspy` makes.
  # Owns: its shape (struct, types, documentation, functions) and the refusals while it is compiled.
  # Must not know: how calls are made (DSPex.Defined does), the grammar of signatures.
  @moduledoc false

  alias DSPex.Define.Text
  alias DSPex.Define.Types
  alias DSPex.Program
  alias DSPex.Signature

  @doc false
  @spec module(Macro.t(), Macro.t(), Macro.t(), Macro.Env.t()) :: Macro.t()
  def module(name, text, opts, env) do
    signature = signature(Macro.expand(text, env), env)
    opts = options(opts, env)
    kind = kind(opts, env)
    keys = Keyword.drop(opts, [:module, :doc])
    doc = Text.moduledoc(doc(opts, env), kind, signature)

    quote do
      defmodule unquote(name) do
        @moduledoc unquote(doc)
        unquote(struct_of(signature))
        unquote(functions(signature))

        @dspex_document DSPex.Define.document(
                          unquote(kind),
                          unquote(signature.text),
                          unquote(keys),
                          __ENV__
                        )

        @doc "The program as a document, see `DSPex.Program`."
        @spec program() :: DSPex.Program.t()
        def program, do: @dspex_document
      end
    end
  end

  # Runs where the module is compiled, when the values of the options are known.
  @doc false
  @spec document(atom(), String.t(), keyword(), Macro.Env.t()) :: Program.t()
  def document(kind, text, keys, env) do
    Program.new(kind, text, keys)
  rescue
    error in ArgumentError -> refuse(env, error.message)
  end

  defp signature(text, env) when is_binary(text) do
    case Signature.parse(text) do
      {:ok, signature} -> signature
      {:error, error} -> refuse(env, error.message)
    end
  end

  defp signature(other, env) do
    refuse(
      env,
      "signature #{Macro.to_string(other)}, expected a string as in \"question -> answer\""
    )
  end

  defp options(opts, env) do
    if Keyword.keyword?(opts),
      do: opts,
      else: refuse(env, "options #{Macro.to_string(opts)}, expected a keyword list written out")
  end

  defp kind(opts, env) do
    kind = Keyword.get(opts, :module, :predict)
    known = Program.kinds_of_signature()

    if kind in known do
      kind
    else
      shown = Macro.to_string(kind)

      refuse(
        env,
        "module kind #{shown}, expected one of #{Enum.map_join(known, ", ", &inspect/1)}"
      )
    end
  end

  defp doc(opts, env) do
    case Macro.expand(Keyword.get(opts, :doc), env) do
      doc when is_binary(doc) or doc in [nil, false] -> doc
      other -> refuse(env, "doc #{Macro.to_string(other)}, expected a string or false")
    end
  end

  defp struct_of(signature) do
    names = atoms(signature.outputs)
    outputs = for field <- signature.outputs, do: {atom(field), Types.output(field.type)}
    prediction = {:prediction, quote(do: DSPex.Prediction.t() | nil)}

    quote do
      defstruct unquote(Enum.map(names ++ [:prediction], &{&1, nil}))

      @typedoc "The outputs, and with `prediction` what was told besides."
      @type t :: %__MODULE__{unquote_splicing(outputs ++ [prediction])}

      @typedoc "The inputs, as keywords or as a map with atoms or strings as keys."
      @type inputs :: unquote(Types.inputs(signature.inputs))
    end
  end

  defp functions(signature) do
    quote do
      @doc unquote(Text.call(signature))
      @spec call(SnakepitBridge.Session.t(), inputs(), DSPex.options()) ::
              {:ok, t()} | {:error, SnakepitBridge.Error.t()}
      def call(session, inputs, opts \\ []),
        do: DSPex.Defined.call(__MODULE__, session, inputs, opts)

      @doc "As `call/3`, but raises the error."
      @spec call!(SnakepitBridge.Session.t(), inputs(), DSPex.options()) :: t()
      def call!(session, inputs, opts \\ []),
        do: DSPex.Bang.value(DSPex.Defined.call(__MODULE__, session, inputs, opts))

      @doc unquote(Text.stream())
      @spec stream(SnakepitBridge.Session.t(), inputs(), DSPex.options()) :: Enumerable.t()
      def stream(session, inputs, opts \\ []),
        do: DSPex.Defined.stream(__MODULE__, session, inputs, opts)

      @doc "The signature, read."
      @spec signature() :: DSPex.Signature.t()
      def signature, do: unquote(Macro.escape(signature))

      @doc "The names of the input fields, in order."
      @spec inputs() :: [atom()]
      def inputs, do: unquote(atoms(signature.inputs))

      @doc "The names of the output fields, in order."
      @spec outputs() :: [atom()]
      def outputs, do: unquote(atoms(signature.outputs))
    end
  end

  # Atoms are made when a module is compiled, from the names in its source.
  defp atoms(fields), do: Enum.map(fields, &atom/1)
  defp atom(%Signature.Field{name: name}), do: String.to_atom(name)

  defp refuse(env, message) do
    raise CompileError, file: env.file, line: env.line, description: "defdspy: " <> message
  end
end
