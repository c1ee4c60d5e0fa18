defmodule DSPex.Defined do
  # What the functions of a module of `defdspy` do.
  # Owns: the check of input names, and the struct of the outputs. Must not know: how the module was
  # made, what a program is.
  @moduledoc false

  alias DSPex.Signature
  alias SnakepitBridge.Error

  @doc false
  @spec call(module(), SnakepitBridge.Session.t(), map() | keyword(), keyword()) ::
          {:ok, struct()} | {:error, Error.t()}
  def call(module, session, inputs, opts) do
    {program, opts} = Keyword.pop_lazy(opts, :program, &module.program/0)

    with {:ok, inputs} <- inputs(module, inputs),
         {:ok, prediction} <- DSPex.run(session, program, inputs, opts) do
      {:ok, outputs(module, prediction)}
    end
  end

  @doc false
  @spec stream(module(), SnakepitBridge.Session.t(), map() | keyword(), keyword()) ::
          Enumerable.t()
  def stream(module, session, inputs, opts) do
    {program, opts} = Keyword.pop_lazy(opts, :program, &module.program/0)

    case inputs(module, inputs) do
      {:ok, inputs} ->
        session |> DSPex.stream_run(program, inputs, opts) |> Stream.map(&event(module, &1))

      {:error, error} ->
        [{:error, error}]
    end
  end

  # Names become strings, so that an input that is given twice is seen.
  defp inputs(module, given) do
    fields = module.signature().inputs
    pairs = for {name, value} <- given, do: {to_string(name), value}
    known = Enum.map(fields, & &1.name)
    names = Enum.map(pairs, &elem(&1, 0))

    missing =
      for field <- fields,
          field.name not in names,
          not Signature.optional?(field.type),
          do: field.name

    case {missing, names -- known} do
      {[], []} -> {:ok, Map.new(pairs)}
      {[name | _], _} -> refuse(module, name, "missing, expected a value")
      {[], [name | _]} -> refuse(module, name, reason(name, known))
    end
  end

  defp reason(name, known) do
    if name in known,
      do: "given twice, expected one value",
      else: "unknown, expected #{Enum.join(known, ", ")}"
  end

  defp refuse(module, name, reason) do
    {:error,
     %Error{
       status: :invalid_argument,
       message: "input `#{name}` of #{inspect(module)} #{reason}",
       details: %{"field" => name},
       retryable: false
     }}
  end

  defp event(module, {:result, prediction}), do: {:result, outputs(module, prediction)}
  defp event(_module, other), do: other

  defp outputs(module, prediction) do
    values = for name <- module.outputs(), do: {name, prediction[name]}
    struct!(module, [{:prediction, prediction} | values])
  end
end
