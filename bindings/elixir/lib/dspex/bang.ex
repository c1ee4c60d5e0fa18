defmodule DSPex.Bang do
  # Functions with `!`, made from the head of the one without.
  # Owns: that they differ in nothing but raising. Must not know: what the functions do.
  @moduledoc false

  # `bang run(program :: String.t()), map()` defines `run!(session, program, opts \\ [])` with
  # documentation and types: a session is the first argument of all, options are the last.
  defmacro bang({name, _meta, arguments}, answer) do
    pairs = for {:"::", _, [variable, type]} <- arguments, do: {variable, type}
    {variables, types} = Enum.unzip(pairs)
    loud = :"#{name}!"

    quote do
      @doc unquote("As `#{name}/#{length(variables) + 2}`, but raises the error.")
      @spec unquote(loud)(SnakepitBridge.Session.t(), unquote_splicing(types), keyword()) ::
              unquote(answer)
      def unquote(loud)(session, unquote_splicing(variables), opts \\ []) do
        DSPex.Bang.value(unquote(name)(session, unquote_splicing(variables), opts))
      end
    end
  end

  @doc false
  @spec value({:ok, value} | {:error, Exception.t()}) :: value when value: term()
  def value({:ok, value}), do: value
  def value({:error, error}), do: raise(error)
end
